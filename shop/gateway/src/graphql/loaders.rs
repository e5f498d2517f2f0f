//! What one operation looks up: asked for one by one, fetched together, and each only once.
//!
//! Resolvers of a list ask at the same moment; when nobody has more to ask, one call fetches what all of them want, a thousand at most.
//! The memory is that of the operation, and so are the [`Tasks`]: they end with it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader as Load};
use shop_contracts::rpc::{content, inventory, orders, payments, shipping, users};

use super::calls::{Answer, Calls, Failed, answered};
use super::tasks::Tasks;

/// Loads for the resolvers of one operation.
pub(super) type Loaders = DataLoader<Loader, HashMapCache>;

/// Fetches what was asked for.
#[derive(Debug)]
pub(super) struct Loader(pub(super) Calls);

/// A user, as the caller may see them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UserId(pub(super) String);
/// A post.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PostId(pub(super) String);
/// The newest posts of an author, so many at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PostsOf(pub(super) String, pub(super) i32);
/// The first comments of a post, so many at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct CommentsOf(pub(super) String, pub(super) i32);
/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sku(pub(super) String);
/// How much there is of a product.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StockOf(pub(super) String);
/// An order, with its history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OrderId(pub(super) String);
/// The shipment of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ShipmentOf(pub(super) String);
/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AccountId(pub(super) String);

/// The first events of an account, so many at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct EventsOf(pub(super) String, pub(super) i32);

/// The loaders of one operation.
pub(super) fn of(calls: Calls, tasks: Tasks) -> Loaders {
    let spawn = move |task| tasks.spawn(task);
    // What belongs into a batch is settled by `tasks`, so nobody needs to wait for more.
    DataLoader::with_cache(Loader(calls), spawn, HashMapCache::default()).delay(Duration::ZERO)
}

/// Loads by ids that stand alone, with one call.
macro_rules! by_id {
    ($key:ident => $service:ident.$method:ident($request:expr).$items:ident -> $item:ty,
        by $id:ident) => {
        impl Load<$key> for Loader {
            type Value = Answer<$item>;
            type Error = Failed;

            async fn load(&self, keys: &[$key]) -> Answer<HashMap<$key, Answer<$item>>> {
                let ids: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
                let items = in_parts(ids, |ids| async move {
                    let answer = self.0.$service().$method(self.0.ask($request(ids))).await;
                    Ok(answered(stringify!($service), answer)?.$items)
                });
                let (items, lost) = items.await?;
                let found = items.into_iter().map(|item| ($key(item.$id.clone()), Ok(item)));
                let lost = lost.into_iter().map(|(id, failed)| ($key(id), Err(failed)));
                Ok(found.chain(lost).collect())
            }
        }
    };
}

by_id!(UserId => users.batch_get_users(|ids| users::BatchGetUsersRequest { ids }).users
    -> users::PublicUser, by id);
by_id!(PostId => content.batch_get_posts(|ids| content::BatchGetPostsRequest { ids }).posts
    -> content::Post, by id);
by_id!(Sku => inventory.batch_get_products(|skus| inventory::BatchGetProductsRequest { skus })
    .products -> inventory::Product, by sku);
by_id!(StockOf => inventory.batch_get_stock(|skus| inventory::BatchGetStockRequest { skus }).stock
    -> inventory::Stock, by sku);
by_id!(OrderId => orders.batch_get_orders(|ids| orders::BatchGetOrdersRequest { ids }).orders
    -> orders::Order, by id);
by_id!(ShipmentOf => shipping.batch_get_shipments(|order_ids| {
    shipping::BatchGetShipmentsRequest { order_ids }
}).shipments -> shipping::Shipment, by order_id);
by_id!(AccountId => payments.batch_get_accounts(|ids| payments::BatchGetAccountsRequest { ids })
    .accounts -> payments::Account, by id);

/// Loads the first things under many parents, with one call for each length.
macro_rules! first {
    ($key:ident => $service:ident.$method:ident($request:expr).$items:ident -> $item:ty,
        by $id:ident) => {
        impl Load<$key> for Loader {
            type Value = Answer<$item>;
            type Error = Failed;

            async fn load(&self, keys: &[$key]) -> Answer<HashMap<$key, Answer<$item>>> {
                let mut found = HashMap::new();
                for (limit, ids) in by_limit(keys.iter().map(|$key(id, limit)| (*limit, id))) {
                    let items = in_parts(ids, |ids| async move {
                        let request = self.0.ask($request(ids, limit));
                        let answer = self.0.$service().$method(request).await;
                        Ok(answered(stringify!($service), answer)?.$items)
                    });
                    let (items, lost) = items.await?;
                    for item in items {
                        found.insert($key(item.$id.clone(), limit), Ok(item));
                    }
                    for (id, failed) in lost {
                        found.insert($key(id, limit), Err(failed));
                    }
                }
                Ok(found)
            }
        }
    };
}

first!(PostsOf => content.batch_list_posts(|author_ids, limit| {
    content::BatchListPostsRequest { author_ids, limit }
}).authors -> content::PostsOfAuthor, by author_id);
first!(CommentsOf => content.batch_list_comments(|post_ids, limit| {
    content::BatchListCommentsRequest { post_ids, limit }
}).posts -> content::CommentsOfPost, by post_id);
first!(EventsOf => payments.batch_list_account_events(|account_ids, limit| {
    payments::BatchListAccountEventsRequest { account_ids, limit }
}).accounts -> payments::EventsOfAccount, by account_id);

/// What was found, and what cannot be told.
type Parts<T> = (Vec<T>, Vec<(String, Failed)>);

/// Asks for all of them at once, and for half of them at a time where that is too much for one
/// message. One that is too much by itself fails alone; any other failure is that of all.
async fn in_parts<T, F>(keys: Vec<String>, ask: impl Fn(Vec<String>) -> F) -> Answer<Parts<T>>
where
    F: Future<Output = Answer<Vec<T>>>,
{
    let (mut found, mut lost, mut open) = (Vec::new(), Vec::new(), vec![keys]);
    while let Some(mut keys) = open.pop() {
        match ask(keys.clone()).await {
            Ok(items) => found.extend(items),
            Err(failed) if failed.is_too_large() && keys.len() > 1 => {
                let rest = keys.split_off(keys.len() / 2);
                open.extend([rest, keys]);
            }
            Err(failed) if failed.is_too_large() => {
                lost.extend(keys.pop().map(|key| (key, failed)));
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok((found, lost))
}

/// One field of a document has one limit, so this is one group for each field that asks.
fn by_limit<'a>(keys: impl Iterator<Item = (i32, &'a String)>) -> BTreeMap<i32, Vec<String>> {
    let mut groups: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (limit, id) in keys {
        groups.entry(limit).or_default().push(id.clone());
    }
    groups
}
