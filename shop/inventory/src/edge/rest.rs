//! Products and stock over REST.

use std::sync::Arc;

use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use shop_edge::{
    Auth, Deps, Input, Page, Preconditions, Principal, Problem, RequestContext, operator,
};
use switchboard_store::Value as Cell;

use crate::app::{App, Error, Product};
use crate::domain::Stock;

/// The versions of the API that have stock.
const V1: &str = "v1";
const V2: &str = "v2";
/// The largest stock of one product.
const ON_HAND_MAX: i64 = 1_000_000_000;

#[derive(Clone)]
struct Edge {
    app: Arc<App>,
    auth: Arc<Auth>,
}

impl FromRef<Edge> for Arc<Auth> {
    fn from_ref(edge: &Edge) -> Self {
        edge.auth.clone()
    }
}

/// All routes of the service.
pub fn routes(app: App, deps: &Deps) -> Router {
    Router::new()
        .route("/api/v1/products", get(list))
        .route("/api/v1/products/{sku}", get(show))
        .route("/api/v1/stock/{sku}", get(stock).put(adjust))
        .route("/api/v2/stock/{sku}", get(stock_v2).put(adjust_v2))
        .with_state(Edge { app: Arc::new(app), auth: deps.auth.clone() })
        .nest("/api/v1/operator/inventory", operator::routes(deps))
}

async fn list(State(edge): State<Edge>, page: Page) -> Result<Response, Problem> {
    let turn = page.turn(&edge.auth, "products")?;
    let products = edge.app.products(turn.seek(), turn.rows()).await?;
    let place = |product: &Product| (Cell::Null, product.sku.clone());
    let collection = turn.collect(&edge.auth, products, place);
    Ok(collection.map(|product| product_json(&product)).into_response())
}

async fn show(State(edge): State<Edge>, Path(sku): Path<String>) -> Result<Json<Value>, Problem> {
    let product = edge.app.product(&sku).await?;
    Ok(Json(product_json(&product)))
}

async fn stock(State(edge): State<Edge>, Path(sku): Path<String>) -> Result<Json<Value>, Problem> {
    let stock = edge.app.stock(&sku).await?;
    Ok(Json(stock_json(V1, &sku, stock)))
}

async fn stock_v2(
    State(edge): State<Edge>,
    Path(sku): Path<String>,
) -> Result<Json<Value>, Problem> {
    let stock = edge.app.stock(&sku).await?;
    Ok(Json(stock_json(V2, &sku, stock)))
}

async fn adjust(
    State(edge): State<Edge>,
    caller: Principal,
    Path(sku): Path<String>,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let on_hand = on_hand(&mut input);
    input.finish()?;
    let may = |stock: &Stock| conditions.check(Some(&stock_json(V1, &sku, *stock)));
    let stock = edge.app.adjust_if(context, &sku, on_hand, may).await?;
    Ok(Json(stock_json(V1, &sku, stock)))
}

/// As in version 1, and the caller must say which stock is meant.
async fn adjust_v2(
    State(edge): State<Edge>,
    caller: Principal,
    Path(sku): Path<String>,
    RequestContext(context): RequestContext,
    conditions: Preconditions,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    conditions.require_match()?;
    let on_hand = on_hand(&mut input);
    input.finish()?;
    let may = |stock: &Stock| conditions.check(Some(&stock_json(V2, &sku, *stock)));
    let stock = edge.app.adjust_if(context, &sku, on_hand, may).await?;
    Ok(Json(stock_json(V2, &sku, stock)))
}

pub(super) fn on_hand(input: &mut Input) -> i64 {
    input.integer("on_hand", 0..=ON_HAND_MAX)
}

fn product_json(product: &Product) -> Value {
    let sku = &product.sku;
    json!({
        "sku": sku,
        "name": product.name,
        "price": product.price,
        "_links": {
            "self": { "href": format!("/api/v1/products/{sku}") },
            "stock": { "href": format!("/api/v1/stock/{sku}") },
        },
    })
}

/// The same for everybody: only operators adjust it, and their page is another one.
fn stock_json(version: &str, sku: &str, stock: Stock) -> Value {
    json!({
        "sku": sku,
        "on_hand": stock.on_hand,
        "reserved": stock.reserved,
        "available": stock.available,
        "_links": {
            "self": { "href": format!("/api/{version}/stock/{sku}") },
            "product": { "href": format!("/api/v1/products/{sku}") },
        },
    })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unexpected(problem) => *problem,
            Error::Refused(refusal) => Self::conflict(format!("Refused: {refusal}.")),
            Error::NotFound => Self::not_found(),
            Error::Read(error) => error.into(),
            Error::Commit(error) => error.into(),
        }
    }
}
