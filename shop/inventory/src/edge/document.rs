//! The service's part of the interface's document.

use serde_json::json;
use shop_edge::openapi::{Bodies, Operation, Part, operators};

use super::shapes::{Product, SetStock, Stock};

/// Every operation of the service.
pub fn openapi() -> Part {
    let list = Operation::get("/api/v1/products", "listProducts")
        .says("List products", "In the order of their names for orders.")
        .public()
        .page_of::<Product>("The products.")
        .shows("X-Degraded")
        .shows("Age");
    let show = at_sku(Operation::get("/api/v1/products/{sku}", "getProduct"))
        .says("Show a product", "With its price.")
        .public()
        .ok::<Product>("The product.")
        .shows("X-Degraded")
        .shows("Age");
    let part = Part::new("products", "Products, their prices, and what is in stock.");
    let part = stock(part.with(list).with(show), "v1", "", false);
    let part = stock(part, "v2", "V2", true);
    operators(part, "/api/v1/operator/inventory", "Inventory")
}

/// Stock in one version; in a strict one a change must say of which stock it is.
fn stock(part: Part, version: &str, name: &str, is_strict: bool) -> Part {
    let path = format!("/api/{version}/stock/{{sku}}");
    let show = at_sku(Operation::get(&path, &format!("getStock{name}")))
        .says("Show what is in stock", "Of one product.")
        .public()
        .ok::<Stock>("The stock.");
    let set = at_sku(Operation::put(&path, &format!("setStock{name}")))
        .says("Set what is in stock", "409 when less would be there than is set aside.")
        .operator()
        .body::<SetStock>(Bodies::Json)
        .ok::<Stock>("The stock as it is now.")
        .if_match(is_strict)
        .refuses(&[409]);
    part.with(show).with(set)
}

fn at_sku(operation: Operation) -> Operation {
    let schema = json!({ "type": "string", "minLength": 1 });
    operation.at("sku", "The product.", schema, "lamp-aurora")
}
