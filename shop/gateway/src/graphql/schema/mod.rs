//! What can be asked: the shop's things as one graph, over the services' gRPC.
//!
//! A field that needs another service than its parent may be null, so that one service that is away does not take the answer of the others
//! with it: the answer then has an error at that field, and `extensions.unavailable` names the service. Lists have bounds. What is listed
//! under many parents is fetched for all of them with one call (`loaders`).

mod account;
mod connection;
mod mutation;
mod order;
mod post;
mod product;
mod query;
mod scalars;
mod subscription;
mod user;

use std::hash::Hash;
use std::sync::Arc;

use async_graphql::dataloader::Loader as Load;
use async_graphql::{Context, SDLExportOptions, Schema};
use shop_edge::Auth;
use tokio_util::sync::CancellationToken;

use super::calls::{Answer, Calls, Failed, Services};
use super::endpoint::GraphQl;
use super::loaders::{self, Loader, Loaders};
use super::meter::Meter;
use super::options::Options;
use mutation::Mutation;
use query::Query;
use subscription::Subscription;

/// Items of a plain list, unless its field says less.
const LIST: i32 = 100;
/// Items of a page, when nobody says how many.
const PAGE: i32 = 20;
/// Items of a page at most; more is taken as this.
const PAGE_MAX: i32 = 100;

/// A field that may be null: when there is nothing, and, with an error beside it, when it failed.
/// A `Result` around an `Option` would take its parent with it.
type Nullable<T> = Option<Answer<T>>;

/// The schema of the shop.
pub type Shop = Schema<Query, Mutation, Subscription>;

/// The endpoint of the shop, asking these services. Streams end with `end`.
pub fn shop(
    services: Services,
    auth: Arc<Auth>,
    options: Options,
    end: CancellationToken,
) -> GraphQl<Shop> {
    let mut builder = Schema::build(Query, Mutation, Subscription).extension(Meter);
    if !options.introspection {
        builder = builder.disable_introspection().disable_suggestions();
    }
    let keys = auth.clone();
    GraphQl::with_data(builder.finish(), auth, options, end, move |caller, tasks, operation| {
        let calls = Calls::new(services.clone(), caller.clone(), keys.clone());
        operation.data(loaders::of(calls.clone(), tasks.clone())).data(calls)
    })
}

/// The schema as text, in the Schema Definition Language: what is published, and compared.
pub fn sdl() -> String {
    let schema = Schema::build(Query, Mutation, Subscription).finish();
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_enum_items()
        .prefer_single_line_descriptions()
        .use_space_ident();
    schema.sdl_with_options(options)
}

/// Runs what may fail or find nothing.
async fn nullable<T>(work: impl Future<Output = Answer<Option<T>>>) -> Nullable<T> {
    work.await.transpose()
}

/// The loaders of the operation.
fn loaders<'c>(ctx: &Context<'c>) -> &'c Loaders {
    ctx.data_unchecked::<Loaders>()
}

/// What a key stands for, if there is anything.
async fn found<K, T>(ctx: &Context<'_>, key: K) -> Answer<Option<T>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    T: Send + Sync + Clone + 'static,
    Loader: Load<K, Value = Answer<T>, Error = Failed>,
{
    loaders(ctx).load_one(key).await?.transpose()
}

/// The calls of the operation.
fn calls<'c>(ctx: &Context<'c>) -> &'c Calls {
    ctx.data_unchecked::<Calls>()
}

/// Refuses nobody in particular, before a service would.
fn signed_in(ctx: &Context<'_>) -> Answer<String> {
    let calls = calls(ctx);
    let known = calls.caller.known().map(|principal| principal.user_id.clone());
    known.map_err(Failed::refused)
}

/// A bound as a caller wrote it: more than there may be is less.
fn bounded(asked: i32, what: &str) -> Answer<i32> {
    if asked >= 0 {
        return Ok(asked.min(PAGE_MAX));
    }
    let problem = shop_edge::Problem::bad_request(format!("`{what}` must not be negative."));
    Err(Failed::refused(problem))
}

/// As many items as a field may have, for its price.
fn items(asked: Option<i32>) -> usize {
    usize::try_from(asked.unwrap_or(PAGE).clamp(0, PAGE_MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo xtask documents` writes it anew, by `UPDATE`.
    #[test]
    fn the_published_schema_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema.graphql");
        let made = sdl();
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == made, "docs/schema.graphql is stale: run `cargo xtask documents`");
    }
}
