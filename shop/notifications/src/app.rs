//! What the groups and the edge share: the store, the switches, and reading rows.

use std::sync::Arc;

use shop_edge::{Deps, Seek};
use switchboard_core::{Clock, Timestamp};
use switchboard_resilience::InvalidOptions;
use switchboard_store::{
    CommitError, Compare, Row, Select, Store, StoreError, Table, Unit, Value, table::SELECT_LIMIT,
};

use crate::mail::{Courier, MailGuard};
use crate::routes::Destination;
use crate::switches::Switches;
use crate::tables::{COUNTERS, SWITCHES};

/// Rows of one user that are changed in one unit, at most.
const ROWS_MAX: usize = 9_000;

/// What the service can do, whoever asks.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    switches: Switches,
    courier: Option<Arc<dyn Courier>>,
    mail_guard: Option<MailGuard>,
}

// === impl App ===

impl App {
    /// On these seams, with all groups switched on. If the process has an `Arc<dyn Courier>`,
    /// letters leave the shop with it.
    pub fn new(deps: &Deps) -> Self {
        let (store, clock) = (deps.store.clone(), deps.clock.clone());
        let courier = deps.process.extra();
        Self { store, clock, switches: Switches::default(), courier, mail_guard: None }
    }

    /// The same, with something before the mail server, if there is one.
    ///
    /// # Errors
    /// [`InvalidOptions`] for numbers of ours that are out of bounds.
    pub(crate) fn guarded(self) -> Result<Self, InvalidOptions> {
        let guard = self.courier.as_ref().map(|_| MailGuard::new(self.clock.clone()));
        Ok(Self { mail_guard: guard.transpose()?, ..self })
    }

    /// Who takes letters out of the shop, if anybody does.
    pub(crate) fn courier(&self) -> Option<&Arc<dyn Courier>> {
        self.courier.as_ref()
    }

    /// What stands before the mail server, if there is one.
    pub(crate) fn mail_guard(&self) -> Option<&MailGuard> {
        self.mail_guard.as_ref()
    }

    /// The switches of the groups.
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Sets the switches as operators have left them.
    ///
    /// # Errors
    /// The store's.
    pub async fn restore_switches(&self) -> Result<(), StoreError> {
        for switch in self.switches.iter() {
            if let Some(row) = self.store.row(&SWITCHES, switch.destination().name()).await? {
                switch.set_running(row.integer("running") != 0);
            }
        }
        Ok(())
    }

    /// Starts or stops a group, and remembers it over a restart.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_running(
        &self,
        destination: Destination,
        running: bool,
    ) -> Result<(), CommitError> {
        let cells = [("running", Value::from(running))];
        self.store.commit(Unit::new().put(&SWITCHES, destination.name(), cells)).await?;
        self.switches.of(destination).set_running(running);
        Ok(())
    }

    /// One row of a table of things that belong to users.
    ///
    /// # Errors
    /// The store's.
    pub async fn row(&self, table: &'static Table, id: &str) -> Result<Option<Row>, StoreError> {
        self.store.row(table, id).await
    }

    /// Rows of one user, or of everybody, newest first, from there on.
    ///
    /// # Errors
    /// The store's.
    pub async fn rows(
        &self,
        table: &'static Table,
        user_id: Option<&str>,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut select = Select::all(table).descending("at").limit(limit);
        if let Some(user_id) = user_id {
            select = select.only("user_id", user_id);
        }
        self.store.select(seek.into().of(select)).await
    }

    /// The rows of one user, newest first: as many as one unit can change, 9 000.
    pub(crate) async fn all_of(
        &self,
        table: &'static Table,
        user_id: &str,
    ) -> Result<Vec<Row>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        while all.len() < ROWS_MAX {
            let rows = self.rows(table, Some(user_id), after, SELECT_LIMIT).await?;
            let is_last = rows.len() < SELECT_LIMIT;
            after = rows.last().map(|row| (row.get("at").clone(), row.key.clone()));
            all.extend(rows);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// The sums, or the counters of the days from this one on.
    ///
    /// # Errors
    /// The store's.
    pub async fn counters(&self, since: Option<&str>) -> Result<Vec<Row>, StoreError> {
        let all = Select::all(&COUNTERS).limit(SELECT_LIMIT);
        let select = match since {
            None => all.only("day", ALL_DAYS),
            Some(day) => {
                all.filter("day", Compare::AtLeast, day).filter("day", Compare::Not, ALL_DAYS)
            }
        };
        self.store.select(select).await
    }
}

/// The day of the sums. It sorts behind every date.
pub const ALL_DAYS: &str = "all";

/// The day of a moment in UTC: `2026-01-31`.
pub fn day_of(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}
