//! The writer's connection: one at a time, replaced when it is lost.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::Instant;

use super::Trouble;
use crate::connect::{Connector, Settled};
use crate::sql::Schema;
use crate::{OpenError, Options};

/// The first pause between two attempts to connect; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);
/// How long a rollback may take before the connection is given up.
const ROLLBACK: Duration = Duration::from_secs(5);

pub(crate) struct Session {
    connector: Connector,
    schema: Schema,
    name: String,
    connection: Option<PgConnection>,
    patience: Duration,
    /// Nobody answered the last time: whoever waits now is told so at once.
    is_down: bool,
}

// === impl Session ===

impl Session {
    pub(crate) fn new(connector: Connector, connection: PgConnection, options: &Options) -> Self {
        Self {
            connector,
            schema: Schema::new(&options.schema),
            name: options.schema.clone(),
            connection: Some(connection),
            patience: options.patience,
            is_down: false,
        }
    }

    /// Takes the connection, or makes one, for as long as the patience lasts. With a new one comes
    /// what the store has settled with the server.
    pub(super) async fn take(&mut self) -> Result<(PgConnection, Option<Settled>), Trouble> {
        if let Some(connection) = self.connection.take() {
            return Ok((connection, None));
        }
        let patience = if self.is_down { Duration::ZERO } else { self.patience };
        let (begun, mut pause) = (Instant::now(), PAUSE);
        loop {
            match self.connect().await {
                Ok((connection, settled)) => {
                    self.is_down = false;
                    return Ok((connection, Some(settled)));
                }
                Err(error) if begun.elapsed() + pause > patience => {
                    self.is_down = true;
                    return Err(Trouble::Down(error.into()));
                }
                Err(error) => {
                    tracing::debug!(schema = self.name, %error, "the server is away");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    }

    async fn connect(&self) -> Result<(PgConnection, Settled), OpenError> {
        let (mut connection, system) = self.connector.connect().await?;
        let settled = system.settle(&mut connection, &self.schema, &self.name).await;
        Ok((connection, settled.map_err(OpenError::Server)?))
    }

    /// Gives the connection back, with no transaction open.
    pub(super) fn give_back(&mut self, connection: PgConnection) {
        self.connection = Some(connection);
    }

    /// Rolls back, and gives the connection back if that works.
    pub(super) async fn roll_back(&mut self, mut connection: PgConnection) {
        let rollback = sqlx::raw_sql("ROLLBACK").execute(&mut connection);
        if matches!(tokio::time::timeout(ROLLBACK, rollback).await, Ok(Ok(_))) {
            self.connection = Some(connection);
        }
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The server notices by itself if this does not reach it.
            let _ = sqlx::Connection::close(connection).await;
        }
    }
}
