//! The service's part of the interface's document.

use serde_json::json;
use shop_edge::openapi::{Bodies, Event, ID, Operation, Part, operators};

use super::shapes::{Order, OrderSummary, PlaceOrder, ResolveSaga, Saga, SagaSummary};

const ORDERS: &str = "/api/v1/orders";
const ORDER: &str = "/api/v1/orders/{id}";
const SAGAS: &str = "/api/v1/operator/sagas";
const SVG: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>";

/// Every operation of the service.
pub fn openapi() -> Part {
    let part = Part::new("orders", "Orders, from placing them to their end.")
        .with(place())
        .with(
            Operation::get(ORDERS, "listOrders")
                .says("List orders", "One's own; everybody's for the operator. Newest first.")
                .page_of::<OrderSummary>("The orders."),
        )
        .with(
            at_order(Operation::get(ORDER, "getOrder"))
                .says("Show an order", "With its history, and what can be done about it now.")
                .ok::<Order>("The order."),
        )
        .with(
            at_order(Operation::get("/api/v1/orders/{id}/events", "listOrderEvents"))
                .says("Show all that happened to an order", "Its audit trail, oldest first.")
                .list_of::<Event>("The events."),
        )
        .with(
            at_order(Operation::post("/api/v1/orders/{id}/cancellation", "cancelOrder"))
                .says(
                    "Cancel an order",
                    "What was done for it is undone, step by step. 409 once it is on its way.",
                )
                .accepted::<Order>("The order; the link `self` shows how far it has come.")
                .shows("Location")
                .shows("Retry-After")
                .refuses(&[409]),
        );
    let part = operators(part, "/api/v1/operator/orders", "Orders");
    sagas(part)
}

fn at_order(operation: Operation) -> Operation {
    operation.at_id("id", "The order. Others' orders are hidden: 404.")
}

fn place() -> Operation {
    let id = [("id", "$response.body#/id")];
    Operation::post(ORDERS, "createOrder")
        .says(
            "Place an order",
            "It is accepted at once and carried out step by step: look at it, or at its events, \
             to see how far it has come.",
        )
        .body::<PlaceOrder>(Bodies::Json)
        .created::<Order>("The order, as it begins.")
        .shows("ETag")
        .idempotent(true)
        .refuses(&[409])
        .leads_to("getOrder", &id)
        .leads_to("listOrderEvents", &id)
        .leads_to("cancelOrder", &id)
        .leads_to("getSaga", &id)
}

fn sagas(part: Part) -> Part {
    let phases = ["doing", "undoing", "stuck", "completed", "undone"];
    let at = |path: &str| format!("{SAGAS}/{{id}}{path}");
    let operated = |operation: Operation| operation.tagged("operator").operator();
    let at_saga =
        |operation: Operation| operated(operation).at("id", "The order.", id_schema(), ID);
    part.with(
        operated(Operation::get(SAGAS, "listSagas"))
            .says("List runs of the order saga", "Those that moved last come first, at most 200.")
            .query(
                "phase",
                "Only those that stand so.",
                json!({ "type": "string", "enum": phases }),
                "stuck",
            )
            .list_of::<SagaSummary>("The runs."),
    )
    .with(
        operated(Operation::get(&format!("{SAGAS}/diagram"), "getSagaDefinition"))
            .says("Draw the order saga", "As its definition is, without a run.")
            .query(
                "format",
                "As a text for Mermaid, or as a picture.",
                json!({ "type": "string", "enum": ["mermaid", "svg"], "default": "mermaid" }),
                "mermaid",
            )
            .text("The drawing.", "text/plain", "stateDiagram-v2\n")
            .or_as("image/svg+xml", SVG),
    )
    .with(
        at_saga(Operation::get(&at(""), "getSaga"))
            .says("Show a run of the order saga", "With all that happened, and what can be done.")
            .ok::<Saga>("The run."),
    )
    .with(
        at_saga(Operation::get(&at("/diagram.svg"), "getSagaDiagram"))
            .says("Draw a run of the order saga", "Its way through the definition.")
            .text("The drawing.", "image/svg+xml", SVG),
    )
    .with(
        at_saga(Operation::post(&at("/retry"), "retrySaga"))
            .says("Try a stuck step again", "409 when the run is not stuck.")
            .ok::<Saga>("The run as it is now.")
            .refuses(&[409]),
    )
    .with(
        at_saga(Operation::post(&at("/resolution"), "resolveSaga"))
            .says("Say that a stuck step was done by hand", "409 when the run is not stuck.")
            .body::<ResolveSaga>(Bodies::Json)
            .ok::<Saga>("The run as it is now.")
            .refuses(&[409]),
    )
}

fn id_schema() -> serde_json::Value {
    json!({ "type": "string", "minLength": 1 })
}
