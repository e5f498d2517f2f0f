//! Getting a connection that may be trusted with commits.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};
use switchboard_core::BoxError;

use crate::error::{OLDEST_SERVER, database};
use crate::sql::{Schema, Sql};
use crate::{OpenError, Options, lock};

/// How long the network may take to say whether anybody is there.
const CONNECT: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps: some dozens, and one for each shape of a change of
/// rows.
const STATEMENTS: usize = 500;

/// Which cluster it is, and which life of it: a restored copy goes on with the same system
/// identifier on another timeline, a dump that was read in has another identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct System(String);

/// What a store needs to connect, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) options: PgConnectOptions,
    at: String,
    session: Option<String>,
}

/// What a connection of the writer finds when it has become one.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) incarnation: u32,
    pub(crate) position: u64,
    pub(crate) reschedules: i64,
    /// The cluster was another one: everything that was known of positions is void.
    pub(crate) reborn: bool,
}

// === impl Connector ===

impl Connector {
    pub(crate) fn new(options: &Options) -> Result<Self, OpenError> {
        let name = &options.schema;
        if name.is_empty() || name.len() > 63 || name.starts_with("pg_") || name.contains('\0') {
            return Err(OpenError::SchemaName { name: name.clone() });
        }
        let parsed: PgConnectOptions = options.url.parse().map_err(OpenError::Address)?;
        let application = format!("switchboard {}", options.schema);
        let cut = application.floor_char_boundary(63);
        let connect = parsed
            .application_name(&application[..cut])
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        let at = format!("{}:{}", connect.get_host(), connect.get_port());
        let session = (!options.pooler).then(|| Sql::session(options.lock_wait.as_millis()));
        Ok(Self { options: connect, at, session })
    }

    /// A connection whose server is new enough, takes writes, and syncs what it answers.
    pub(crate) async fn connect(&self) -> Result<(PgConnection, System), OpenError> {
        let connecting = tokio::time::timeout(CONNECT, self.options.connect());
        let mut connection = match connecting.await {
            Ok(connected) => connected.map_err(|error| self.not_connected(error))?,
            Err(late) => return Err(self.unreachable(late.into())),
        };
        let sql = "SELECT current_setting('server_version_num')::int4, \
                   current_setting('server_version'), current_setting('synchronous_commit'), \
                   current_setting('fsync'), pg_is_in_recovery()";
        let row = sqlx::query(sql).fetch_one(&mut connection).await.map_err(OpenError::Server)?;
        let text = |index: usize| row.try_get::<String, _>(index).map_err(OpenError::Server);
        if row.try_get::<i32, _>(0).map_err(OpenError::Server)? < OLDEST_SERVER {
            return Err(OpenError::OldServer { found: text(1)? });
        }
        if text(2)? == "off" {
            return Err(OpenError::AsynchronousCommit);
        }
        if text(3)? == "off" {
            tracing::warn!(at = self.at, "fsync is off: this server loses commits when it fails");
        }
        if row.try_get(4).map_err(OpenError::Server)? {
            return Err(OpenError::Standby { at: self.at.clone() });
        }
        if let Some(session) = &self.session {
            let set = sqlx::raw_sql(AssertSqlSafe(session.as_str()));
            set.execute(&mut connection).await.map_err(OpenError::Server)?;
        }
        let system = System::of(&mut connection).await.map_err(OpenError::Server)?;
        Ok((connection, system))
    }

    fn not_connected(&self, error: sqlx::Error) -> OpenError {
        if let sqlx::Error::Tls(_) = error {
            return OpenError::Tls(error);
        }
        let at = self.at.clone();
        match database(&error).map(|error| error.code().to_owned()).as_deref() {
            Some("28P01" | "28000") => {
                let user = self.options.get_username().to_owned();
                OpenError::Refused { at, user, source: error }
            }
            Some("3D000") => {
                let database = self.options.get_database().unwrap_or("").to_owned();
                OpenError::NoDatabase { at, database }
            }
            Some(_) => OpenError::Server(error),
            None => self.unreachable(error.into()),
        }
    }

    fn unreachable(&self, source: BoxError) -> OpenError {
        OpenError::Unreachable { at: self.at.clone(), source }
    }
}

// === impl System ===

impl System {
    /// Asks the server. The write-ahead log's own name knows the timeline at once; the control
    /// file, which some hosted servers show alone, learns it with the first checkpoint.
    async fn of(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let sql = "SELECT system_identifier::text || '/' || \
                   substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system()";
        let asked = sqlx::query_scalar(sql).fetch_one(&mut *connection).await;
        match asked {
            Err(error) if database(&error).is_some() => {}
            other => return other.map(Self),
        }
        let sql = "SELECT s.system_identifier::text || '/' || \
                   upper(lpad(to_hex(c.timeline_id), 8, '0')) \
                   FROM pg_control_system() s, pg_control_checkpoint() c";
        sqlx::query_scalar(sql).fetch_one(connection).await.map(Self)
    }

    /// Compares the cluster with the one that the store remembers, and begins a new incarnation
    /// when it is another one: it may lack what was committed last, and sequences that were given
    /// must not be given again.
    pub(crate) async fn settle(
        &self,
        connection: &mut PgConnection,
        schema: &Schema,
        name: &str,
    ) -> Result<Settled, sqlx::Error> {
        let run = |text: &'static str| sqlx::raw_sql(text);
        run("BEGIN ISOLATION LEVEL READ COMMITTED").execute(&mut *connection).await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(lock::of_store(name))
            .execute(&mut *connection)
            .await?;
        let sql = "SELECT incarnation, position, reschedules, system FROM @sb_meta";
        let row = sqlx::query(schema.sql(sql)).fetch_one(&mut *connection).await?;
        let mut incarnation: i64 = row.try_get(0)?;
        let known: Option<String> = row.try_get(3)?;
        let reborn = known.as_ref().is_some_and(|known| *known != self.0);
        if reborn {
            incarnation += 1;
            run_in(connection, schema, "DELETE FROM @sb_sequences").await?;
        }
        if known.as_ref() != Some(&self.0) {
            let sql = schema.sql("UPDATE @sb_meta SET incarnation = $1, system = $2");
            let update = sqlx::query(sql).bind(incarnation).bind(&self.0);
            update.execute(&mut *connection).await?;
        }
        run("COMMIT").execute(connection).await?;
        if reborn {
            tracing::warn!(
                schema = name,
                incarnation,
                "the server is a restored copy or another one: a new incarnation begins"
            );
        }
        Ok(Settled {
            incarnation: u32::try_from(incarnation).unwrap_or(u32::MAX),
            position: row.try_get::<i64, _>(1)?.cast_unsigned(),
            reschedules: row.try_get(2)?,
            reborn,
        })
    }
}

async fn run_in(
    connection: &mut PgConnection,
    schema: &Schema,
    text: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(schema.sql(text)).execute(connection).await.map(drop)
}
