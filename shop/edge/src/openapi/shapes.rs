//! Shapes that several services show, and the shape of every problem.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::Shape;
use super::text::{Capitals, Text};

/// A moment, for examples.
pub const WHEN: &str = "2026-11-27T09:30:00Z";
/// An id as the shop gives them out, for examples.
pub const ID: &str = "019a4c1e-7d20-7c3a-9b51-2f6d8e0a4c11";

/// Where something related is, or an action that is possible now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Link {
    /// A path of this shop.
    #[schema(format = "uri-reference")]
    pub href: String,
    /// The method to use; GET when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub method: Option<String>,
}

/// Links by what they lead to.
pub type Links = BTreeMap<String, Link>;

/// An amount of money.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Money {
    /// Minor units: cents.
    pub amount: i64,
    /// ISO 4217: three capital letters.
    #[schema(value_type = Capitals<3>, inline)]
    pub currency: String,
}

/// So many of one product.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The product, 1 to 100 characters.
    #[schema(value_type = Text<1, 100>, inline)]
    pub sku: String,
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub quantity: i64,
}

/// Where a parcel goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipTo {
    /// Who receives it, 1 to 100 characters.
    #[schema(value_type = Text<1, 100>, inline)]
    pub name: String,
    /// Street and number, 1 to 200 characters.
    #[schema(value_type = Text<1, 200>, inline)]
    pub address: String,
    /// City, 1 to 100 characters.
    #[schema(value_type = Text<1, 100>, inline)]
    pub city: String,
    /// ISO 3166-1: two capital letters.
    #[schema(value_type = Capitals<2>, inline)]
    pub country: String,
}

/// What went wrong (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemShape {
    /// What kind of problem it is. Stable; the kinds are described where it points to.
    #[schema(format = "uri-reference")]
    pub r#type: String,
    /// The same words for every problem of this kind.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong this time, for people.
    pub detail: String,
    /// The request, by which it can be found in the traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "uri")]
    pub instance: Option<String>,
    /// Every mistake that was found, the first hundred of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub errors: Vec<Mistake>,
}

/// One mistake, in the body or in the query.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Mistake {
    /// Where in the body: a JSON Pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pointer: Option<String>,
    /// Which parameter of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// What kind of mistake, stable.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// Links by name and path.
pub fn links<const N: usize>(links: [(&str, &str); N]) -> Links {
    let link = |href: &str| Link { href: href.to_owned(), method: None };
    links.into_iter().map(|(name, href)| (name.to_owned(), link(href))).collect()
}

impl Shape for Money {
    fn example() -> Self {
        Self { amount: 12_900, currency: "USD".to_owned() }
    }
}

impl Shape for Item {
    fn example() -> Self {
        Self { sku: "lamp-aurora".to_owned(), quantity: 2 }
    }
}

impl Shape for ShipTo {
    fn example() -> Self {
        Self {
            name: "Ada Lovelace".to_owned(),
            address: "1 Exchange Lane".to_owned(),
            city: "Springfield".to_owned(),
            country: "DE".to_owned(),
        }
    }
}

/// One line of an audit trail.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// Its number within the trail, from 1 without gaps.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// What happened.
    pub r#type: String,
    /// What belongs to it; which fields depends on the type.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// When.
    #[schema(format = "date-time")]
    pub timestamp: String,
}

impl Shape for Event {
    fn example() -> Self {
        Self {
            seq: 2,
            r#type: "Deposited".to_owned(),
            data: serde_json::json!({ "amount": 50_000 }),
            timestamp: WHEN.to_owned(),
        }
    }
}
