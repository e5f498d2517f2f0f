//! What keeps a store from opening, and what opening changes.

use switchboard_core::{Position, Slot};
use switchboard_store::{
    Column, CommitError, Custody, Handled, Journal, Mark, Outbox, Rows, Select, Table, Unit, Value,
};
use switchboard_store_postgres::{OpenError, Options, PostgresStore};
use switchboard_testkit::store::ITEMS;

use crate::server::{TestSchema, appending, message};

static V1: Table = Table { name: "things", columns: &[Column::integer("a")], indexes: &[&["a"]] };
static V2: Table = Table {
    name: "things",
    columns: &[Column::integer("a"), Column::text("b")],
    indexes: &[&["a"], &["b", "a"]],
};
static CHANGED: Table = Table { name: "things", columns: &[Column::text("a")], indexes: &[] };
static TABLES_1: &[&Table] = &[&V1];
static TABLES_2: &[&Table] = &[&V2];
static TABLES_CHANGED: &[&Table] = &[&CHANGED];

async fn refused(options: Options) -> OpenError {
    PostgresStore::open(options).await.expect_err("it opens")
}

fn at(schema: &TestSchema, change: impl Fn(&str) -> String) -> Options {
    let clock = std::sync::Arc::new(switchboard_core::SystemClock);
    let rng = switchboard_core::Rng::from_seed(1);
    Options::new(change(&schema.url), "suite", &[], clock, rng).with_schema(&schema.name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_cannot_connect_is_told_what_to_check() {
    let schema = TestSchema::new();
    let address = schema.url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let nobody = at(&schema, |_| "postgres://nobody@127.0.0.1:1/postgres".to_owned());
    let error = refused(nobody).await;
    assert!(matches!(&error, OpenError::Unreachable { at, .. } if at == "127.0.0.1:1"), "{error}");
    assert!(error.to_string().contains("check host and port"), "{error}");
    let stranger = at(&schema, |_| format!("postgres://stranger:secret@{address}/postgres"));
    let error = refused(stranger).await;
    assert!(matches!(&error, OpenError::Refused { user, .. } if user == "stranger"), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"));
    let missing = at(&schema, |url| format!("{}/missing", url.rsplit_once('/').unwrap().0));
    let missing = refused(missing).await;
    assert!(
        matches!(&missing, OpenError::NoDatabase { database, .. } if database == "missing"),
        "{missing:?}"
    );
    let tls = refused(at(&schema, |url| format!("{url}?sslmode=require"))).await;
    assert!(matches!(tls, OpenError::Tls(_)), "{tls:?}");
    let nonsense = refused(at(&schema, |_| "127.0.0.1".to_owned())).await;
    assert!(matches!(nonsense, OpenError::Address(_)), "{nonsense:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_answers_what_it_may_lose_is_refused() {
    let schema = TestSchema::new();
    let off = at(&schema, |url| format!("{url}?options=-c%20synchronous_commit%3Doff"));
    let error = refused(off).await;
    assert!(matches!(error, OpenError::AsynchronousCommit), "{error:?}");
    assert!(error.to_string().contains("turn it on"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_none_are_refused_and_odd_ones_are_not() {
    let schema = TestSchema::new();
    for name in ["", "pg_mine", &"n".repeat(64)] {
        let error = refused(schema.options().with_schema(name)).await;
        assert!(matches!(error, OpenError::SchemaName { .. }), "{error:?}");
    }
    let odd = format!("Odd \"@{}\" – ü", schema.name);
    let store = PostgresStore::open(schema.options().with_schema(&odd)).await.unwrap();
    store.commit(appending("s", 1).add(&ITEMS, "a", "amount", 1)).await.unwrap();
    let mut connection = schema.connect().await;
    store.enqueue(&mut connection, vec![message("t", "a")]).await.unwrap();
    assert_eq!(store.outgoing(Position::START, 10).await.unwrap().len(), 1);
    store.close().await;
    let drop = format!("DROP SCHEMA \"{}\" CASCADE", odd.replace('"', "\"\""));
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_format_is_refused_and_left_alone() {
    let schema = TestSchema::new();
    schema.open().await.close().await;
    let mut connection = schema.connect().await;
    schema.run(&mut connection, "UPDATE @sb_meta SET format = 99").await;
    let error = refused(schema.options()).await;
    assert!(matches!(error, OpenError::NewerFormat { found: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("run the newer version"), "{error}");
    assert_eq!(schema.number("SELECT format::int8 FROM @sb_meta").await, 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_of_another_service_is_refused() {
    let schema = TestSchema::new();
    schema.open().await.close().await;
    let clock = std::sync::Arc::new(switchboard_core::SystemClock);
    let rng = switchboard_core::Rng::from_seed(1);
    let other = Options::new(&schema.url, "other", &[], clock, rng).with_schema(&schema.name);
    let error = refused(other).await;
    assert!(matches!(&error, OpenError::OtherSource { found, .. } if found == "suite"));
    schema.open().await.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_columns_and_indexes_are_added_and_rows_are_kept() {
    let schema = TestSchema::new();
    let store = PostgresStore::open(schema.options_with(TABLES_1)).await.unwrap();
    store.commit(Unit::new().put(&V1, "x", [("a", Value::from(7))])).await.unwrap();
    // The older process is still there, as in a rolling deployment.
    let newer = PostgresStore::open(schema.options_with(TABLES_2)).await.unwrap();
    newer.commit(Unit::new().put(&V2, "y", [("b", Value::from("new"))])).await.unwrap();
    store.commit(Unit::new().add(&V1, "x", "a", 1)).await.unwrap();
    let row = newer.row(&V2, "x").await.unwrap().unwrap();
    assert_eq!(row.values, [Value::from(8), Value::Null]);
    assert_eq!(newer.select(Select::all(&V2).only("b", "new")).await.unwrap().len(), 1);
    let indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 'things' AND schemaname = ";
    assert_eq!(schema.number(&format!("{indexes}'{}'", schema.name)).await, 3);
    let error = refused(schema.options_with(TABLES_CHANGED)).await;
    assert!(matches!(error, OpenError::Table(_)), "{error:?}");
    assert!(error.to_string().contains("declare a new column"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_the_teams_own_is_not_taken_over() {
    let schema = TestSchema::new();
    let mut connection = schema.connect().await;
    let text = format!("CREATE SCHEMA \"{}\"; CREATE TABLE @things (id int8)", schema.name);
    schema.run(&mut connection, &text).await;
    let error = refused(schema.options_with(TABLES_1)).await;
    assert!(matches!(error, OpenError::Table(_)), "{error:?}");
    let store = schema.open().await;
    store.commit(appending("s", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_open_an_empty_schema_at_once_all_succeed() {
    let schema = TestSchema::new();
    let opening: Vec<_> =
        (0..8).map(|_| tokio::spawn(PostgresStore::open(schema.options()))).collect();
    let mut stores = Vec::new();
    for task in opening {
        stores.push(task.await.unwrap().unwrap());
    }
    for (n, store) in stores.iter().enumerate() {
        let position = store.commit(appending("s", 1)).await.unwrap().position;
        assert_eq!(position, Position(n as u64 + 1));
    }
}

/// A dump that was read in elsewhere, or a copy that was restored on another timeline, may lack
/// what was committed last: sequences that were given must not be given again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_another_cluster_or_timeline_a_new_incarnation_begins() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    let identity = switchboard_core::Identity {
        source: "orders".into(),
        incarnation: 1,
        sequence: 1,
        slot: Slot(3),
    };
    let handled = || Handled {
        group: "group".into(),
        mark: Mark::Known { topic: "payments".into(), identity: identity.clone() },
        key: "k".into(),
        custody: Custody::Effect,
    };
    let unit = || Unit::new().send(message("t", "a")).handled(handled());
    store.commit(unit()).await.unwrap();
    store.close().await;
    schema.open().await.close().await;
    let mut connection = schema.connect().await;
    let other = "UPDATE @sb_meta SET system = regexp_replace(system, '^\\d+', '4711')";
    for incarnation in [2, 3] {
        schema.run(&mut connection, other).await;
        let store = schema.open().await;
        assert_eq!(store.identity().incarnation, incarnation);
        assert_eq!(store.sequences().await.unwrap(), []);
        assert!(store.commit(unit()).await.unwrap().duplicate, "marks are kept");
        store.commit(Unit::new().send(message("t", "a"))).await.unwrap();
        let sent = store.outgoing(Position::START, 10).await.unwrap();
        let newest = sent.last().unwrap().envelope.identity.clone().unwrap();
        assert_eq!((newest.incarnation, newest.sequence), (incarnation, 1));
        store.close().await;
    }
    assert_eq!(schema.open().await.identity().incarnation, 3, "and then it stays");
}

/// A role or database may have a stricter default; the store's transactions know what they need.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_isolation_that_a_server_sets_by_default_does_not_matter() {
    let mut schema = TestSchema::new();
    let strict = "options=-c%20default_transaction_isolation%3Dserializable";
    schema.url = format!("{}?{strict}", schema.url);
    let stores = [schema.open().await, schema.open().await];
    let adds: Vec<_> = (0..100)
        .map(|n| {
            let store = stores[n % 2].clone();
            let unit = appending("s", 1).add(&ITEMS, "sum", "amount", 1);
            tokio::spawn(async move { store.commit(unit).await.unwrap() })
        })
        .collect();
    for add in adds {
        add.await.unwrap();
    }
    let row = stores[0].row(&ITEMS, "sum").await.unwrap().unwrap();
    assert_eq!(row.integer("amount"), 100);
    assert_eq!(stores[1].stream("s", 0, 1_000).await.unwrap().len(), 100);
}

/// What this server cannot store is refused like any other limit, and costs no neighbour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_cannot_store_is_invalid_for_its_own_unit_only() {
    let schema = TestSchema::new();
    let store = schema.open().await;
    // Hardly compressible, so that no index takes it.
    let mut rng = switchboard_core::Rng::from_seed(1);
    let long: String = (0..20_000).map(|_| char::from(b'a' + (rng.below(26) as u8))).collect();
    let bad = [
        appending("nul\0", 1),
        Unit::new().put(&ITEMS, "nul\0", []),
        Unit::new().put(&ITEMS, "a", [("owner", "nul\0".into())]),
        Unit::new().put(&ITEMS, "long", [("owner", long.as_str().into())]),
    ];
    let units = bad.into_iter().chain((0..20).map(|n| appending(&format!("good-{n}"), 1)));
    let tasks: Vec<_> = units
        .map(|unit| {
            let store = store.clone();
            tokio::spawn(async move { store.commit(unit).await })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Err(CommitError::Invalid(text)) if n < 4 => assert!(!text.is_empty()),
            Ok(_) if n >= 4 => {}
            other => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(store.events(Position::START, 100).await.unwrap().len(), 20);
}

/// The budget that the documents promise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_holds_no_more_connections_than_it_was_given() {
    let schema = TestSchema::new();
    let clock = std::sync::Arc::new(switchboard_core::SystemClock);
    let rng = switchboard_core::Rng::from_seed(1);
    let options = Options::new(&schema.url, "suite", &[], clock, rng)
        .with_schema(&schema.name)
        .with_connections(4);
    let store = PostgresStore::open(options).await.unwrap();
    let tasks: Vec<_> = (0..60)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    store.commit(appending(&format!("s-{n}-{round}"), 1)).await.unwrap();
                    store.events(Position::START, 100).await.unwrap();
                }
            })
        })
        .collect();
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'switchboard {}'",
        schema.name
    );
    let mut most = 0;
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        most = most.max(schema.number(&sql).await);
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!((3..=4).contains(&most), "{most}");
    store.close().await;
    crate::server::eventually(async || schema.number(&sql).await == 0).await;
}
