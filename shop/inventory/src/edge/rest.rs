//! Products and stock over REST.

use std::sync::Arc;

use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use shop_edge::{Auth, Deps, Input, Page, Principal, Problem, RequestContext, operator};
use switchboard_store::Value as Cell;

use crate::app::{App, Error, Product};
use crate::domain::Stock;

/// The largest stock of one product.
const ON_HAND_MAX: i64 = 1_000_000_000;

#[derive(Clone)]
struct Edge {
    app: App,
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
        .with_state(Edge { app, auth: deps.auth.clone() })
        .nest("/api/v1/operator/inventory", operator::routes(deps))
}

async fn list(State(edge): State<Edge>, page: Page) -> Result<Response, Problem> {
    const FILTER: &str = "products";
    let after = page.after(&edge.auth, FILTER)?;
    let products = edge.app.products(after, page.limit + 1).await?;
    let place = |product: &Product| (Cell::Null, product.sku.clone());
    let collection = page.collect(&edge.auth, FILTER, products, place);
    Ok(collection.map(|product| product_json(&product)).into_response())
}

async fn show(State(edge): State<Edge>, Path(sku): Path<String>) -> Result<Json<Value>, Problem> {
    let product = edge.app.product(&sku).await?;
    Ok(Json(product_json(&product)))
}

async fn stock(State(edge): State<Edge>, Path(sku): Path<String>) -> Result<Json<Value>, Problem> {
    let stock = edge.app.stock(&sku).await?;
    Ok(Json(stock_json(&sku, stock)))
}

async fn adjust(
    State(edge): State<Edge>,
    caller: Principal,
    Path(sku): Path<String>,
    RequestContext(context): RequestContext,
    mut input: Input,
) -> Result<Json<Value>, Problem> {
    caller.require_operator()?;
    let on_hand = on_hand(&mut input);
    input.finish()?;
    let stock = edge.app.adjust(context, &sku, on_hand).await?;
    Ok(Json(stock_json(&sku, stock)))
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

fn stock_json(sku: &str, stock: Stock) -> Value {
    json!({
        "sku": sku,
        "on_hand": stock.on_hand,
        "reserved": stock.reserved,
        "available": stock.available,
        "_links": {
            "self": { "href": format!("/api/v1/stock/{sku}") },
            "product": { "href": format!("/api/v1/products/{sku}") },
        },
    })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::conflict(format!("Refused: {refusal}.")),
            Error::NotFound => Self::not_found(),
            Error::Read(error) => error.into(),
            Error::Commit(error) => error.into(),
        }
    }
}
