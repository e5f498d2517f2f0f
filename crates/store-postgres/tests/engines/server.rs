//! The server that tests use, and a schema of its own for each of them.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A schema that goes away with its test.
pub(crate) struct TestSchema {
    pub(crate) url: String,
    pub(crate) name: String,
}

impl TestSchema {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let schema = Self { url: url(), name };
        schema.drop_it();
        schema
    }

    /// A connection of somebody else.
    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    fn drop_it(&self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // On a runtime of its own: a test may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let mut connection = PgConnection::connect(&url).await.unwrap();
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
