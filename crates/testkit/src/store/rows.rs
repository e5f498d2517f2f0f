//! Rows of declared tables, and queries.

use switchboard_core::Rng;
use switchboard_store::{
    Column, Compare, Expect, Row, Select, Store, StoreError, Table, Unit, Value, query,
};

use super::{ITEMS, Subject, together};

fn put(key: &str, values: &[(&'static str, Value)]) -> Unit {
    Unit::new().put(&ITEMS, key, values.to_vec())
}

async fn get(store: &dyn Store, key: &str) -> Row {
    store.row(&ITEMS, key).await.unwrap().unwrap()
}

/// The version counts changes, also several in one unit.
pub async fn each_change_raises_the_version(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(put("a", &[("amount", 1.into())])).await.unwrap();
    assert_eq!(get(&*store, "a").await.version, 1);
    store.commit(Unit::new().add(&ITEMS, "a", "amount", 4)).await.unwrap();
    assert_eq!(get(&*store, "a").await.version, 2);
    let twice = put("a", &[]).and(put("a", &[("amount", 9.into())]));
    store.commit(twice.and(Unit::new().add(&ITEMS, "b", "rank", 2))).await.unwrap();
    assert_eq!((get(&*store, "a").await.version, get(&*store, "b").await.version), (4, 1));
    assert_eq!(get(&*store, "a").await.integer("amount"), 9);
    assert_eq!(get(&*store, "b").await.values[3], Value::Integer(2));
}

/// A put names what it changes.
pub async fn other_columns_keep_their_values(subject: &dyn Subject) {
    let store = subject.open();
    let photo = Value::Blob(vec![0, 255, 7].into());
    store
        .commit(put("a", &[("photo", photo.clone()), ("owner", "ann's \"é\" ✓".into())]))
        .await
        .unwrap();
    store.commit(put("a", &[("amount", (-5).into())])).await.unwrap();
    let row = get(&*store, "a").await;
    assert_eq!(row.values, [(-5).into(), "ann's \"é\" ✓".into(), photo, Value::Null]);
    store.commit(put("a", &[("owner", Value::Null), ("rank", i64::MIN.into())])).await.unwrap();
    let row = get(&*store, "a").await;
    assert_eq!((row.get("owner"), row.integer("rank")), (&Value::Null, i64::MIN));
    assert_eq!(store.row(&ITEMS, "A").await.unwrap(), None, "keys are compared byte by byte");
}

/// Units that only add and subtract share a row, and never take it below the floor.
pub async fn adding_is_commutative_and_never_below_the_floor(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(Unit::new().add(&ITEMS, "stock", "amount", 50)).await.unwrap();
    let take = || {
        let key = "stock".to_owned();
        let floor = Expect::AtLeast { table: &ITEMS, key, column: "amount", value: 3 };
        Unit::new().expect(floor).add(&ITEMS, "stock", "amount", -3)
    };
    let answers = together(&store, (0..30).map(|_| take())).await;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    let row = get(&*store, "stock").await;
    assert_eq!((taken, row.integer("amount"), row.version), (16, 2, 17));
}

/// A row that was deleted leaves nothing to the next one of its key.
pub async fn a_deleted_row_begins_again(subject: &dyn Subject) {
    let store = subject.open();
    store.commit(put("a", &[("owner", "x".into())])).await.unwrap();
    store.commit(Unit::new().delete(&ITEMS, "a").delete(&ITEMS, "b")).await.unwrap();
    assert_eq!(store.row(&ITEMS, "a").await.unwrap(), None);
    store.commit(Unit::new().add(&ITEMS, "a", "amount", 2)).await.unwrap();
    let row = get(&*store, "a").await;
    assert_eq!((row.version, row.text("owner"), row.integer("amount")), (1, "", 2));
    store.commit(Unit::new().delete(&ITEMS, "a").and(put("a", &[]))).await.unwrap();
    let row = get(&*store, "a").await;
    assert_eq!((row.version, row.integer("amount")), (1, 0));
}

/// Random rows with many equal and null cells.
async fn fill(store: &dyn Store, rng: &mut Rng) -> Vec<Row> {
    let mut unit = Unit::new();
    for n in 0..80 {
        let null_or = |value: Value, rng: &mut Rng| {
            if rng.below(4) == 0 { Value::Null } else { value }
        };
        let rank = i64::try_from(rng.below(5)).unwrap_or(0) - 2;
        let owner = ["ann", "Bob", "", "bob"][usize::try_from(rng.below(4)).unwrap_or(0)];
        let values = [
            ("rank", null_or(rank.into(), rng)),
            ("owner", null_or(owner.into(), rng)),
            ("photo", null_or(Value::Blob(vec![rng.below(3) as u8].into()), rng)),
        ];
        unit = unit.put(&ITEMS, format!("{:02}", (n * 37) % 80), values);
    }
    store.commit(unit).await.unwrap();
    let mut rows = Vec::new();
    for n in 0..80 {
        rows.push(get(store, &format!("{n:02}")).await);
    }
    rows
}

/// Read page after page, each row comes once, in order.
pub async fn pages_follow_each_other_without_gap_or_overlap(subject: &dyn Subject) {
    let store = subject.open();
    fill(&*store, &mut Rng::from_seed(4)).await;
    for select in [
        Select::all(&ITEMS),
        Select::all(&ITEMS).ascending("rank"),
        Select::all(&ITEMS).descending("rank"),
        Select::all(&ITEMS).descending("owner"),
        Select::all(&ITEMS).ascending("photo").only("owner", "bob"),
    ] {
        let whole = store.select(select.clone()).await.unwrap();
        let mut pages: Vec<Row> = Vec::new();
        loop {
            let mut page = select.clone().limit(7);
            if let Some(last) = pages.last() {
                let column =
                    select.order.map_or(Value::Null, |(column, _)| last.get(column).clone());
                page.after = Some((column, last.key.clone()));
            }
            let page = store.select(page).await.unwrap();
            pages.extend(page.iter().cloned());
            if page.len() < 7 {
                break;
            }
        }
        assert_eq!(pages, whole, "{select:?}");
    }
}

/// Any query answers what its definition in `switchboard_store::query` says.
pub async fn queries_mean_the_same_everywhere(subject: &dyn Subject) {
    let store = subject.open();
    let mut rng = Rng::from_seed(5);
    let rows = fill(&*store, &mut rng).await;
    for _ in 0..400 {
        let select = random_select(&mut rng);
        let mut expected: Vec<&Row> =
            rows.iter().filter(|row| query::matches(&select, row)).collect();
        expected.sort_by(|a, b| query::compare(&select, a, b));
        expected.truncate(select.limit);
        let answer = store.select(select.clone()).await.unwrap();
        assert_eq!(answer.iter().collect::<Vec<_>>(), expected, "{select:?}");
    }
}

fn random_select(rng: &mut Rng) -> Select {
    let mut select = Select::all(&ITEMS);
    let value = |column: &str, rng: &mut Rng| match (column, rng.below(5)) {
        ("key", n) => format!("{}", n * 17).as_str().into(),
        (_, 0) => Value::Null,
        ("rank", n) => (i64::try_from(n).unwrap_or(0) - 2).into(),
        ("owner", n) => ["", "bob", "ann", "zoe"][usize::try_from(n).unwrap_or(1) - 1].into(),
        (_, n) => Value::Blob(vec![u8::try_from(n).unwrap_or(0)].into()),
    };
    for _ in 0..rng.below(3) {
        let compares = [Compare::Is, Compare::Not, Compare::Below, Compare::AtLeast];
        let column = rng.pick(&["key", "rank", "owner", "photo"]).copied().unwrap_or("key");
        let compare = rng.pick(&compares).copied().unwrap_or(Compare::Is);
        select = select.filter(column, compare, value(column, rng));
    }
    let column = rng.pick(&["rank", "owner", "photo"]).copied().unwrap_or("rank");
    select.order = match rng.below(3) {
        0 => None,
        descending => Some((column, descending == 1)),
    };
    if rng.below(2) == 0 {
        select.after = Some((value(column, rng), format!("{:02}", rng.below(80))));
    }
    select.limit(usize::try_from(rng.below(30)).unwrap_or(0))
}

/// A mistake of the program is told as one.
pub async fn a_query_of_what_is_not_declared_is_invalid(subject: &dyn Subject) {
    static UNKNOWN: Table =
        Table { name: "suite_unknown", columns: &[Column::integer("n")], indexes: &[] };
    let store = subject.open();
    for select in [
        Select::all(&UNKNOWN),
        Select::all(&ITEMS).only("nothing", 1),
        Select::all(&ITEMS).ascending("nothing"),
        Select::all(&ITEMS).only("owner", 1),
    ] {
        let answer = store.select(select).await;
        assert!(matches!(answer, Err(StoreError::Invalid(_))), "{answer:?}");
    }
}
