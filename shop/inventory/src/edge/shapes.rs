//! What products and stock look like on the wire, for the document: see [`openapi`](super::document::openapi).
//!
//! Handlers write their answers themselves; a test of the platform holds them to these shapes.

use serde::Serialize;
use shop_edge::openapi::{Link, Links, Money, Shape, links};
use utoipa::ToSchema;

/// A product that is for sale.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Product {
    /// What orders call it.
    pub sku: String,
    /// What people call it.
    pub name: String,
    /// What one of it costs.
    pub price: Money,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// How many of a product there are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Stock {
    /// The product.
    pub sku: String,
    /// In the warehouse.
    pub on_hand: i64,
    /// Of these, set aside for orders.
    pub reserved: i64,
    /// Of these, free.
    pub available: i64,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// How many of a product there are from now on.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetStock {
    /// In the warehouse, those that are set aside included.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub on_hand: i64,
}

impl Shape for Product {
    fn example() -> Self {
        Self {
            sku: "lamp-aurora".to_owned(),
            name: "Aurora desk lamp".to_owned(),
            price: Money { amount: 5_900, currency: "USD".to_owned() },
            links: links([
                ("self", "/api/v1/products/lamp-aurora"),
                ("stock", "/api/v1/stock/lamp-aurora"),
            ]),
        }
    }
}

impl Shape for Stock {
    fn example() -> Self {
        Self {
            sku: "lamp-aurora".to_owned(),
            on_hand: 10_000,
            reserved: 2,
            available: 9_998,
            links: links([
                ("self", "/api/v1/stock/lamp-aurora"),
                ("product", "/api/v1/products/lamp-aurora"),
            ]),
        }
    }
}

impl Shape for SetStock {
    fn example() -> Self {
        Self { on_hand: 10_000 }
    }
}
