//! The server that tests use, and a schema of its own for each of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use switchboard_core::{ManualClock, Name, Rng, Timestamp};
use switchboard_store::{NewEvent, NewMessage, Table, Unit};
use switchboard_store_postgres::{Options, PostgresStore};
use switchboard_testkit::store::TABLES;
use tokio::sync::{RwLock, RwLockReadGuard};

/// Tests that stop the server take the write side, all others the read side.
pub(crate) static ALONE: RwLock<()> = RwLock::const_new(());

/// A schema that goes away with its test.
pub(crate) struct TestSchema {
    pub(crate) url: String,
    pub(crate) name: String,
    /// Nobody stops the server meanwhile.
    _together: Option<RwLockReadGuard<'static, ()>>,
}

impl TestSchema {
    /// For a test that runs beside others.
    pub(crate) fn new() -> Self {
        let together = wait(ALONE.read());
        let mut schema = Self::alone();
        schema._together = Some(together);
        schema
    }

    /// For a test that has the server for itself.
    pub(crate) fn alone() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let schema = Self { url: url(), name, _together: None };
        schema.drop_it();
        schema
    }

    /// A connection of somebody else.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    pub(crate) fn options(&self) -> Options {
        self.options_with(TABLES)
    }

    pub(crate) fn options_with(&self, tables: &'static [&'static Table]) -> Options {
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000)));
        Options::new(&self.url, "suite", tables, clock, Rng::from_entropy())
            .with_schema(&self.name)
            .with_poll(Duration::from_millis(200))
    }

    /// Opens the store, as one process of many.
    pub(crate) async fn open(&self) -> PostgresStore {
        PostgresStore::open(self.options()).await.unwrap()
    }

    /// Runs SQL in which `@` stands for the schema.
    pub(crate) async fn run(&self, connection: &mut PgConnection, text: &str) {
        sqlx::raw_sql(AssertSqlSafe(self.sql(text))).execute(connection).await.unwrap();
    }

    /// One number that SQL answers; `@` stands for the schema.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        let mut connection = self.connect().await;
        let query = sqlx::query_scalar(AssertSqlSafe(self.sql(text)));
        query.fetch_one(&mut connection).await.unwrap()
    }

    fn sql(&self, text: &str) -> String {
        text.replace('@', &format!("\"{}\".", self.name))
    }

    /// The number of the store's advisory lock, computed as every process must.
    pub(crate) fn lock(&self) -> i64 {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for part in ["switchboard.store", &self.name] {
            let length = (part.len() as u64).to_le_bytes();
            for byte in length.iter().chain(part.as_bytes()) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        hash.cast_signed()
    }

    /// Begins a transaction that holds the store's lock, as a process in the middle of a commit.
    pub(crate) async fn lock_store(&self) -> PgConnection {
        let mut connection = self.connect().await;
        let lock = self.lock();
        let text = format!("BEGIN; SELECT pg_advisory_xact_lock({lock})");
        self.run(&mut connection, &text).await;
        connection
    }

    /// Waits until so many sessions wait for a lock of this test.
    pub(crate) async fn until_waiting(&self, sessions: i64) {
        let mut connection = self.connect().await;
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                   AND query LIKE '%' || $1 || '%' OR pid IN (SELECT pid FROM pg_locks \
                   WHERE NOT granted AND locktype = 'advisory' \
                   AND (classid::int8 << 32) | objid::int8 = $2)";
        eventually(async || {
            let count: i64 = sqlx::query_scalar(sql)
                .bind(&self.name)
                .bind(self.lock())
                .fetch_one(&mut connection)
                .await
                .unwrap();
            count >= sessions
        })
        .await;
    }

    /// Ends the sessions of this schema's stores whose last statement looks like this.
    pub(crate) async fn terminate(&self, like: &str) -> i64 {
        let mut connection = self.connect().await;
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE application_name = 'switchboard ' || $2 AND query LIKE $1";
        sqlx::query_scalar(sql)
            .bind(like)
            .bind(&self.name)
            .fetch_one(&mut connection)
            .await
            .unwrap()
    }

    fn drop_it(&self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // On a runtime of its own: a test may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let Ok(mut connection) = PgConnection::connect(&url).await else { return };
                let sql = format!("DROP SCHEMA IF EXISTS \"{name}\" CASCADE");
                let _ = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
            });
        });
        let _ = dropping.join();
    }
}

impl Drop for TestSchema {
    fn drop(&mut self) {
        self.drop_it();
    }
}

/// The server's address.
pub(crate) fn url() -> String {
    std::env::var("SWITCHBOARD_TEST_POSTGRES").unwrap_or_else(|_| {
        panic!(
            "SWITCHBOARD_TEST_POSTGRES is not set: run `cargo xtask test`, or start a server with \
             `cargo xtask engines up postgres`"
        )
    })
}

/// Waits inside a synchronous function of a multi-threaded test.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

/// Looks until it is so; fails after 20 seconds.
pub(crate) async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looking).await.expect("it never becomes so");
}

/// Whether a task is still waiting after others had every chance to let it go on.
pub(crate) async fn is_waiting<T>(task: &mut tokio::task::JoinHandle<T>) -> bool {
    tokio::time::timeout(Duration::from_millis(100), task).await.is_err()
}

pub(crate) fn appending(stream: &str, count: usize) -> Unit {
    let mut unit = Unit::new();
    unit.events.extend((0..count).map(|_| NewEvent {
        stream: stream.into(),
        kind: "Happened".into(),
        schema: 1,
        tags: Vec::new(),
        data: (&b"{}"[..]).into(),
    }));
    unit
}

pub(crate) fn message(topic: &str, key: &str) -> NewMessage {
    NewMessage {
        topic: Name::from(topic),
        kind: "suite.message".into(),
        version: 1,
        key: Some(key.into()),
        payload: key.to_owned().into(),
        context: None,
        headers: Default::default(),
    }
}
