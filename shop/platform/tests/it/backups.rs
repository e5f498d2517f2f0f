//! Backups of a shop that goes on, and what comes back from them: everything, or one service, at real size with files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use shop_platform::backup::loss::Loss;
use shop_platform::backup::restore::{Wanted, restore};
use shop_platform::backup::{Manifest, RestoreError, Restored};
use shop_platform::folder::{Folder, FolderError};
use shop_platform::load::sums::products;
use shop_platform::load::{Client, Customer, Ledger, Mix};
use shop_platform::topology;
use switchboard_core::{Clock, Rng, SystemClock};
use switchboard_log::file::OsFiles;
use tokio_util::sync::CancellationToken;

use crate::{Shop, eventually};

const BACKUP: &str = "/api/v1/operator/backup";
/// What each customer pays in, before anything else.
const DEPOSIT: i64 = 500_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that customers did, as they saw it.
struct Crowd {
    ledger: Arc<Mutex<Ledger>>,
    stop: CancellationToken,
    shopping: Vec<tokio::task::JoinHandle<()>>,
}

impl Crowd {
    /// Customers who have signed up and paid in, and order until they are stopped.
    async fn of(client: &Client, customers: u64) -> Self {
        let goods = products(client).await.unwrap();
        let ledger = Arc::new(Mutex::new(Ledger::open(client).await.unwrap()));
        let stop = CancellationToken::new();
        let mut rng = Rng::from_seed(7);
        let mut shopping = Vec::new();
        for number in 0..customers {
            let name = format!("customer-{number}");
            let email = format!("{name}@example.com");
            let customer = Customer::join(client, &name, &email).await.unwrap();
            customer.deposit(DEPOSIT, &format!("{name}-deposit")).await.unwrap();
            ledger.lock().customers.push(customer.clone());
            ledger.lock().deposits += DEPOSIT;
            let mut mix = Mix::new(goods.clone(), 4, rng.fork());
            let (ledger, stop) = (ledger.clone(), stop.clone());
            shopping.push(tokio::spawn(async move {
                let mut order = 0;
                while !stop.is_cancelled() {
                    let wish = mix.wish().unwrap();
                    let id = customer.order(&wish, &format!("{name}-{order}")).await.unwrap();
                    let ended = customer.wait(&id, PATIENCE).await.unwrap().unwrap();
                    ledger.lock().orders.push((customer.clone(), wish, ended));
                    order += 1;
                }
            }));
        }
        Self { ledger, stop, shopping }
    }

    async fn until_orders(&self, count: usize) {
        eventually("orders", || async { (self.ledger.lock().orders.len() >= count).then_some(()) })
            .await;
    }

    fn orders(&self) -> usize {
        self.ledger.lock().orders.len()
    }

    async fn end(self) -> Ledger {
        self.stop.cancel();
        for one in self.shopping {
            one.await.unwrap();
        }
        Arc::into_inner(self.ledger).unwrap().into_inner()
    }
}

/// The same shop again on another address.
fn moved(ledger: &Ledger, client: &Client) -> Ledger {
    let mut again = ledger.clone();
    for customer in &mut again.customers {
        *customer = customer.at(client);
    }
    for (customer, ..) in &mut again.orders {
        *customer = customer.at(client);
    }
    again
}

async fn back_up(shop: &Shop, folder: &Path) -> Value {
    let begun = shop.operate(BACKUP, json!({ "folder": folder })).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    ended(shop).await
}

async fn ended(shop: &Shop) -> Value {
    eventually("the backup", || async {
        let state = shop.get(BACKUP, Some(&shop.operator)).await.body;
        (state["state"] != "running").then_some(state)
    })
    .await
}

/// Restores as the program does, on a runtime of its own.
async fn put_back(
    backup: &Path,
    data: &Path,
    only: Option<&str>,
) -> Result<Restored, RestoreError> {
    put_back_with(backup, data, only, true).await
}

async fn put_back_with(
    backup: &Path,
    data: &Path,
    only: Option<&str>,
    force: bool,
) -> Result<Restored, RestoreError> {
    let (backup, data) = (backup.to_owned(), data.to_owned());
    let wanted = Wanted { backup, only: only.map(str::to_owned), force };
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        restore(&wanted, &data, Arc::new(SystemClock), Rng::from_seed(3), &runtime)
    })
    .await
    .unwrap()
}

/// All orders that a shop knows, by id, once each has come to its end.
async fn settled(shop: &Shop) -> Vec<Value> {
    let all = || async {
        let (mut all, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/orders?limit=100{next}");
            let page = shop.get(&path, Some(&shop.operator)).await.body;
            all.extend(page["items"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => return all,
            }
        }
    };
    eventually("all orders end", || async {
        let all = all().await;
        let ends = ["completed", "failed", "payment_cancelled"];
        let is_final = |order: &Value| ends.contains(&order["status"].as_str().unwrap());
        all.iter().all(is_final).then_some(all)
    })
    .await
}

fn ids(orders: &[Value]) -> BTreeSet<String> {
    orders.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole_private_and_of_one_moment() {
    let parent = tempfile::tempdir().unwrap();
    let target = parent.path().join("backup");
    let shop = Shop::start().await;
    let crowd = Crowd::of(&shop.client, 4).await;
    crowd.until_orders(10).await;
    let state = back_up(&shop, &target).await;
    assert_eq!(state["state"], "done", "{state}");
    let before = crowd.orders();
    crowd.until_orders(before + 10).await;
    println!("commits waited {} µs", state["paused_micros"]);
    assert!(state["paused_micros"].as_u64().unwrap() < 1_000_000, "{state}");

    let manifest = Manifest::read(&target).unwrap();
    manifest.verify(&target, |_| true).unwrap();
    assert_eq!((manifest.stores.len(), manifest.format), (topology::services().len(), 1));
    let log = manifest.log.as_ref().unwrap();
    assert!(log.channels.keys().any(|name| name.starts_with("orders.events/")), "{log:?}");
    for segment in switchboard_log::verify(&target.join("log"), &OsFiles).unwrap() {
        assert_eq!((segment.damage, segment.unfinished), (None, false));
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&target), 0o700);
    for name in manifest.files.keys() {
        assert_eq!(mode(&target.join(name)), 0o600, "{name}");
    }
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "nothing else is left");

    // A backup never changes another, and nothing is left of one that fails.
    assert_eq!(back_up(&shop, &target).await["state"], "failed");
    assert_eq!(back_up(&shop, &parent.path().join("no/such/parent")).await["state"], "failed");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    let relative = shop.operate(BACKUP, json!({ "folder": "backup" })).await;
    assert_eq!(relative.status, StatusCode::UNPROCESSABLE_ENTITY);
    let nobody = shop.post(BACKUP, None, json!({ "folder": "/tmp/x" })).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    crowd.end().await;
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_comes_back_as_it_was_and_goes_on_without_a_gap() {
    let parent = tempfile::tempdir().unwrap();
    let (data, backup) = (parent.path().join("data"), parent.path().join("backup"));
    let shop = Shop::start_in(&data).await;
    let operator = shop.operator.clone();
    let crowd = Crowd::of(&shop.client, 4).await;
    crowd.until_orders(20).await;
    // In the middle of everything: orders are under way in every state.
    let at_backup = crowd.orders();
    assert_eq!(back_up(&shop, &backup).await["state"], "done");
    crowd.until_orders(crowd.orders() + 20).await;
    let ledger = crowd.end().await;
    shop.end().await;

    let refused = put_back_with(&backup, &data, None, false).await.unwrap_err();
    assert!(matches!(refused, RestoreError::NotEmpty(_)), "{refused}");
    let restored = put_back(&backup, &data, None).await.unwrap();
    assert_eq!(
        (restored.incarnations.clone(), restored.epoch),
        (vec![2; topology::services().len()], Some(2))
    );
    let lost: Vec<_> = restored.losses.iter().map(|loss| &*loss.service).collect();
    for service in ["orders", "payments", "inventory", "shipping", "notifications"] {
        assert!(lost.contains(&service), "{service} of {lost:?}");
    }
    let aside = restored.aside.unwrap();
    assert!(aside.join("orders.db").exists() && aside.join("log").exists());

    let shop = Shop::start_in(&data).await;
    assert_eq!(shop.operator, operator, "the same token");
    let orders = settled(&shop).await;
    let known = ids(&orders);
    let early: Vec<_> = ledger.orders[..at_backup].iter().map(|(_, _, it)| it.id.clone()).collect();
    for order in early {
        assert!(known.contains(&order), "{order} had ended before the backup");
    }
    assert!(known.len() < ledger.orders.len(), "{} of {}", known.len(), ledger.orders.len());
    // The sums of what is known now, as if nothing else had ever been.
    let mut again = moved(&ledger, &shop.client);
    again.orders.retain(|(_, _, ended)| known.contains(&ended.id));
    for (_, _, ended) in &mut again.orders {
        let now = orders.iter().find(|order| order["id"] == *ended.id).unwrap();
        ended.status = now["status"].as_str().unwrap().to_owned();
    }
    let sums = again.audit(&shop.client).await.unwrap();
    assert!(sums.faults.is_empty(), "{sums}");
    // And it goes on: new sequences in a new life are nobody's duplicates.
    let ann = shop.somebody("ann@example.com", 10_000_000).await;
    let placed = shop.order(&ann, "after", json!({})).await;
    assert_eq!(shop.end_of(&ann, &placed).await["status"], "completed");
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_older_service_repeats_nothing_and_says_what_it_lost() {
    let parent = tempfile::tempdir().unwrap();
    let (data, backup) = (parent.path().join("data"), parent.path().join("backup"));
    let shop = Shop::start_in(&data).await;
    let crowd = Crowd::of(&shop.client, 4).await;
    crowd.until_orders(20).await;
    let at_backup = crowd.orders();
    assert_eq!(back_up(&shop, &backup).await["state"], "done");
    crowd.until_orders(crowd.orders() + 30).await;
    let ledger = crowd.end().await;
    let mut letters: BTreeSet<_> =
        ledger.customers.iter().map(|customer| format!("{}-created", customer.id)).collect();
    for (_, _, ended) in &ledger.orders {
        letters.insert(format!("{}-placed", ended.id));
        letters.insert(format!("{}-{}", ended.id, ended.status));
    }
    eventually("all letters", || async { (self::letters(&shop).await == letters).then_some(()) })
        .await;
    shop.end().await;

    let restored = put_back(&backup, &data, Some("orders")).await.unwrap();
    assert_eq!((restored.services.len(), restored.epoch), (1, None));
    assert!(restored.incarnations[0] >= 2);
    let loss = &restored.losses[0];
    let placed = loss.messages.iter().filter(|it| it.kind == "orders.placed");
    let told: BTreeSet<_> = placed.filter_map(|it| it.key.clone()).collect();

    let shop = Shop::start_in(&data).await;
    let known = ids(&settled(&shop).await);
    // Every order that is gone was named, and none that is there.
    let gone: BTreeSet<_> = ledger
        .orders
        .iter()
        .map(|(_, _, ended)| ended.id.clone())
        .filter(|id| !known.contains(id))
        .collect();
    assert!(gone.len() >= 26 && gone.len() <= ledger.orders.len() - at_backup, "{}", gone.len());
    assert_eq!(told, gone, "what was lost is what was said");
    assert!(loss.events.values().sum::<u64>() > 0 && loss.changed["orders"] > 0, "{loss:?}");

    // What others did stays done, once: money, stock and parcels are as the customers saw them.
    let again = moved(&ledger, &shop.client);
    let sums = again.audit(&shop.client).await.unwrap();
    assert!(sums.faults.is_empty(), "{sums}");
    for (_, _, ended) in &ledger.orders {
        if known.contains(&ended.id) {
            assert_eq!(shop.order_of(&ended.id).await["status"], *ended.status, "{}", ended.id);
        }
    }
    // Nobody is told a second time.
    assert_eq!(self::letters(&shop).await, letters);
    // It takes new orders, and its next messages are nobody's duplicates.
    let ann = shop.somebody("ann@example.com", 10_000_000).await;
    let placed = shop.order(&ann, "after", json!({})).await;
    assert_eq!(shop.end_of(&ann, &placed).await["status"], "completed");
    shop.end().await;
}

/// The ids of all letters.
async fn letters(shop: &Shop) -> BTreeSet<String> {
    let (mut all, mut next) = (BTreeSet::new(), String::new());
    loop {
        let path = format!("/api/v1/operator/notifications/mailbox?limit=100{next}");
        let page = shop.get(&path, Some(&shop.operator)).await.body;
        all.extend(ids(page["items"].as_array().unwrap()));
        match page["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_participant_takes_again_what_the_broker_still_has() {
    for service in ["payments", "inventory", "shipping"] {
        let parent = tempfile::tempdir().unwrap();
        let (data, backup) = (parent.path().join("data"), parent.path().join("backup"));
        let shop = Shop::start_in(&data).await;
        let crowd = Crowd::of(&shop.client, 3).await;
        crowd.until_orders(10).await;
        assert_eq!(back_up(&shop, &backup).await["state"], "done");
        let at_backup = crowd.orders();
        crowd.until_orders(at_backup + 15).await;
        let ledger = crowd.end().await;
        shop.end().await;
        let restored = put_back(&backup, &data, Some(service)).await.unwrap();
        assert_eq!(restored.services, [service]);
        let shop = Shop::start_in(&data).await;
        let again = moved(&ledger, &shop.client);
        let what = format!("{service} has caught up");
        eventually(&what, || async {
            let sums = again.audit(&shop.client).await.unwrap();
            sums.faults.is_empty().then_some(())
        })
        .await;
        let ann = shop.somebody("ann@example.com", 10_000_000).await;
        let placed = shop.order(&ann, "after", json!({})).await;
        assert_eq!(shop.end_of(&ann, &placed).await["status"], "completed", "{service}");
        shop.end().await;
    }
}

/// A small backup, made once for each test that breaks it.
async fn small(parent: &Path) -> (PathBuf, PathBuf) {
    let (data, backup) = (parent.join("data"), parent.join("backup"));
    let shop = Shop::start_in(&data).await;
    shop.somebody("ann@example.com", 1_000).await;
    assert_eq!(back_up(&shop, &backup).await["state"], "done");
    shop.end().await;
    (data, backup)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_backup_touches_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let (data, backup) = small(parent.path()).await;
    let listed = || {
        let names = fs::read_dir(&data).unwrap().map(|it| it.unwrap().file_name());
        names.collect::<BTreeSet<_>>()
    };
    let before = listed();
    let path = backup.join("stores/payments.db");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = put_back(&backup, &data, None).await.unwrap_err();
    assert!(error.to_string().contains("stores/payments.db"), "{error}");
    let error = put_back(&backup, &data, Some("payments")).await.unwrap_err();
    assert!(error.to_string().contains("payments.db"), "{error}");
    assert_eq!(listed(), before);
    // One that is not asked for does not matter.
    put_back(&backup, &data, Some("orders")).await.unwrap();
    let error = put_back(&backup, &data, Some("warehouse")).await.unwrap_err();
    assert!(error.to_string().contains("it has: users, content, orders"), "{error}");
    let empty = parent.path().join("empty");
    let error = put_back(&backup, &empty, Some("orders")).await.unwrap_err();
    assert!(matches!(error, RestoreError::Empty(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_that_was_cut_off_keeps_the_shop_from_starting_and_ends_when_it_is_run_again() {
    let parent = tempfile::tempdir().unwrap();
    let (data, backup) = small(parent.path()).await;
    // As a crash leaves it in the middle of the renames: a part moved aside, a part not.
    let aside = data.join("before-restore-20260101");
    fs::create_dir(&aside).unwrap();
    fs::write(data.join("restore-unfinished"), "before-restore-20260101\neverything\n").unwrap();
    for name in ["orders.db", "signing-key", "operator-token"] {
        fs::rename(data.join(name), aside.join(name)).unwrap();
    }
    let orders = fs::read(aside.join("orders.db")).unwrap();
    let error = Folder::open(&data).unwrap_err();
    assert!(matches!(error, FolderError::Unfinished(_)), "{error}");
    let error = put_back(&backup, &data, Some("orders")).await.unwrap_err();
    assert!(matches!(error, RestoreError::Unfinished(_)), "{error}");

    let restored = put_back_with(&backup, &data, None, false).await.unwrap();
    assert_eq!(restored.aside.as_deref(), Some(&*aside));
    assert_eq!(fs::read(aside.join("orders.db")).unwrap(), orders, "kept as it was");
    assert!(aside.join("users.db").exists() && aside.join("log").exists());
    let shop = Shop::start_in(&data).await;
    shop.somebody("bob@example.com", 1_000).await;
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_were_rotated_come_back_with_what_they_have_signed() {
    let parent = tempfile::tempdir().unwrap();
    let (data, backup) = (parent.path().join("data"), parent.path().join("backup"));
    let shop = Shop::start_in(&data).await;
    let before = shop.somebody("ann@example.com", 0).await;
    shop_edge::auth::rotate(&data, SystemClock.now(), Duration::ZERO, false).unwrap();
    let after = shop.somebody("bob@example.com", 0).await;
    assert_eq!(back_up(&shop, &backup).await["state"], "done");
    shop.end().await;
    let elsewhere = parent.path().join("elsewhere");
    put_back_with(&backup, &elsewhere, None, false).await.unwrap();
    let shop = Shop::start_in(&elsewhere).await;
    for who in [before, after] {
        let path = format!("/api/v1/accounts/{}", who.account);
        assert_eq!(shop.get(&path, Some(&who.token)).await.status, StatusCode::OK);
    }
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_comes_back_on_another_machine() {
    let parent = tempfile::tempdir().unwrap();
    let (_, backup) = small(parent.path()).await;
    let elsewhere = parent.path().join("deep/er");
    let restored = put_back_with(&backup, &elsewhere, None, false).await.unwrap();
    assert_eq!((restored.losses, restored.aside), (Vec::<Loss>::new(), None));
    let shop = Shop::start_in(&elsewhere).await;
    let credentials = json!({ "email": "ann@example.com", "password": "correct horse battery" });
    let session = shop.post("/api/v1/sessions", None, credentials).await;
    assert_eq!(session.status, StatusCode::CREATED, "{}", session.body);
    shop.end().await;
}
