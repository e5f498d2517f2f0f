//! Shipments over REST.

use std::sync::Arc;

use axum::extract::{FromRef, Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use shop_edge::{Auth, Deps, Page, Principal, Problem, operator};

use crate::app::{App, Error, STATUS, Wanted};
use crate::domain::Shipment;

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
        .route("/api/v1/shipments", get(list))
        .route("/api/v1/shipments/{id}", get(show))
        .with_state(Edge { app: Arc::new(app), auth: deps.auth.clone() })
        .nest("/api/v1/operator/shipping", operator::routes(deps))
}

/// The caller's own, everybody's for the operator; `?order_id=` leaves those of one order.
async fn list(
    State(edge): State<Edge>,
    caller: Principal,
    page: Page,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let wanted = Wanted {
        user_id: (!caller.is_operator()).then(|| caller.user_id.clone()),
        order_id: query.as_deref().and_then(order_id),
    };
    let filter = format!("shipments {wanted:?}");
    let turn = page.turn(&edge.auth, filter)?;
    let shipments = edge.app.shipments(&wanted, turn.seek(), turn.rows()).await?;
    let place = |shipment: &Shipment| (shipment.created_at.into(), shipment.id.clone());
    let collection = turn.collect(&edge.auth, shipments, place);
    Ok(collection.map(|shipment| representation(&shipment)).into_response())
}

/// Ids need no decoding: one that does is nobody's.
fn order_id(query: &str) -> Option<String> {
    query.split('&').find_map(|pair| pair.strip_prefix("order_id=")).map(str::to_owned)
}

async fn show(
    State(edge): State<Edge>,
    caller: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let shipment = edge.app.shipment(&id).await?;
    caller.owns_or_404(&shipment.user_id)?;
    Ok(Json(representation(&shipment)))
}

fn representation(shipment: &Shipment) -> Value {
    json!({
        "id": shipment.id,
        "order_id": shipment.order_id,
        "status": STATUS,
        "tracking_number": shipment.tracking_number,
        "carrier": shipment.carrier,
        "ship_to": shipment.ship_to,
        "items": shipment.items,
        "created_at": shipment.created_at,
        "_links": {
            "self": { "href": format!("/api/v1/shipments/{}", shipment.id) },
            "order": { "href": format!("/api/v1/orders/{}", shipment.order_id) },
        },
    })
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(),
            Error::Read(error) => error.into(),
        }
    }
}
