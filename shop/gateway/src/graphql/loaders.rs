//! What one operation looks up: asked for one by one, fetched together, and each only once.
//!
//! Resolvers of a list ask at the same moment; a millisecond later one call fetches what all of them want. The memory is that of the
//! operation, and so are the tasks: they end with it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use async_graphql::dataloader::{DataLoader, HashMapCache, Loader as Load};
use parking_lot::Mutex;
use shop_contracts::rpc::{content, inventory, orders, payments, shipping, users};
use tokio::task::JoinSet;

use super::calls::{Answer, Calls, Failed, answered};

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

/// The loaders of one operation.
pub(super) fn of(calls: Calls) -> Loaders {
    let tasks = Mutex::new(JoinSet::new());
    let spawn = move |task| {
        let mut tasks = tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    };
    DataLoader::with_cache(Loader(calls), spawn, HashMapCache::default())
}

/// Loads by ids that stand alone, with one call.
macro_rules! by_id {
    ($key:ident => $service:ident.$method:ident($request:expr).$items:ident -> $item:ty,
        by $id:ident) => {
        impl Load<$key> for Loader {
            type Value = $item;
            type Error = Failed;

            async fn load(&self, keys: &[$key]) -> Answer<HashMap<$key, $item>> {
                let ids: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
                let answer = self.0.$service().$method(self.0.ask($request(ids))).await;
                let items = answered(stringify!($service), answer)?.$items;
                Ok(items.into_iter().map(|item| ($key(item.$id.clone()), item)).collect())
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

impl Load<PostsOf> for Loader {
    type Value = content::PostsOfAuthor;
    type Error = Failed;

    async fn load(&self, keys: &[PostsOf]) -> Answer<HashMap<PostsOf, Self::Value>> {
        let mut found = HashMap::new();
        for (limit, author_ids) in by_limit(keys.iter().map(|PostsOf(id, limit)| (*limit, id))) {
            let request = content::BatchListPostsRequest { author_ids, limit };
            let answer = self.0.content().batch_list_posts(self.0.ask(request)).await;
            for posts in answered("content", answer)?.authors {
                found.insert(PostsOf(posts.author_id.clone(), limit), posts);
            }
        }
        Ok(found)
    }
}

impl Load<CommentsOf> for Loader {
    type Value = content::CommentsOfPost;
    type Error = Failed;

    async fn load(&self, keys: &[CommentsOf]) -> Answer<HashMap<CommentsOf, Self::Value>> {
        let mut found = HashMap::new();
        for (limit, post_ids) in by_limit(keys.iter().map(|CommentsOf(id, limit)| (*limit, id))) {
            let request = content::BatchListCommentsRequest { post_ids, limit };
            let answer = self.0.content().batch_list_comments(self.0.ask(request)).await;
            for comments in answered("content", answer)?.posts {
                found.insert(CommentsOf(comments.post_id.clone(), limit), comments);
            }
        }
        Ok(found)
    }
}

/// One field of a document has one limit, so this is one group for each field that asks.
fn by_limit<'a>(keys: impl Iterator<Item = (i32, &'a String)>) -> BTreeMap<i32, Vec<String>> {
    let mut groups: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (limit, id) in keys {
        groups.entry(limit).or_default().push(id.clone());
    }
    groups
}
