//! What notifications and letters look like on the wire, for the document: see [`openapi`](super::document::openapi).
//!
//! Handlers write their answers themselves; a test of the platform holds them to these shapes.

use std::collections::BTreeMap;

use serde::Serialize;
use shop_edge::openapi::{ID, Link, Links, Shape, WHEN, links};
use utoipa::ToSchema;

/// Something that a customer is told in the shop.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Notification {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub r#type: String,
    /// In a few words.
    pub title: String,
    /// In a sentence or two.
    pub body: String,
    /// The order that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order_id: Option<String>,
    /// When it was written.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// A letter to a customer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Letter {
    /// Its id.
    pub id: String,
    /// The address; null while it is not known.
    pub to: Option<String>,
    /// In a few words.
    pub subject: String,
    /// The text.
    pub body: String,
    /// How it stands.
    pub status: String,
    /// The order that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order_id: Option<String>,
    /// When it was written.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// A letter as operators see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AnybodysLetter {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// The address; null while it is not known.
    pub to: Option<String>,
    /// In a few words.
    pub subject: String,
    /// The text.
    pub body: String,
    /// How it stands.
    pub status: String,
    /// The order that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub order_id: Option<String>,
    /// When it was written.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// One line of the routing table.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventRoute {
    /// The topic that an event comes from.
    pub topic: String,
    /// What it is.
    pub r#type: String,
    /// The topics that it is passed on to.
    pub to: Vec<String>,
}

/// A group that events are passed on to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RoutedGroup {
    /// Its name.
    pub name: String,
    /// The topic that it reads.
    pub topic: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether it fails on purpose, for a drill.
    pub failing: bool,
    /// Why it has ended by itself; null if it has not.
    pub error: Option<String>,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What of a group is to be switched; one of the two at least.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchGroup {
    /// Whether it is to run; remembered over a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
    /// Whether it is to fail on purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<bool>,
}

/// What was counted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Analytics {
    /// In all, by name.
    pub totals: BTreeMap<String, i64>,
    /// By day, newest first, the last 30 days.
    #[schema(max_items = 30)]
    pub days: Vec<DayCounts>,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What was counted on one day.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DayCounts {
    /// The day, UTC.
    #[schema(format = "date")]
    pub day: String,
    /// By name.
    pub counts: BTreeMap<String, i64>,
}

fn own(path: &str) -> Links {
    links([("self", &format!("{path}/{ID}")), ("order", &format!("/api/v1/orders/{ID}"))])
}

impl Shape for Notification {
    fn example() -> Self {
        Self {
            id: ID.to_owned(),
            r#type: "order.placed".to_owned(),
            title: "Your order is placed".to_owned(),
            body: "We have your order and will tell you how it goes.".to_owned(),
            order_id: Some(ID.to_owned()),
            created_at: WHEN.to_owned(),
            links: own("/api/v1/notifications"),
        }
    }
}

impl Shape for Letter {
    fn example() -> Self {
        let AnybodysLetter { id, to, subject, body, status, order_id, created_at, links, .. } =
            AnybodysLetter::example();
        Self { id, to, subject, body, status, order_id, created_at, links }
    }
}

impl Shape for AnybodysLetter {
    fn example() -> Self {
        Self {
            id: ID.to_owned(),
            user_id: ID.to_owned(),
            to: Some("ada@example.org".to_owned()),
            subject: "Your order is placed".to_owned(),
            body: "Dear Ada, we have your order.".to_owned(),
            status: "sent".to_owned(),
            order_id: Some(ID.to_owned()),
            created_at: WHEN.to_owned(),
            links: own("/api/v1/mailbox"),
        }
    }
}

impl Shape for EventRoute {
    fn example() -> Self {
        Self {
            topic: "users.events".to_owned(),
            r#type: "user.created".to_owned(),
            to: vec!["notifications.email".to_owned()],
        }
    }
}

impl Shape for RoutedGroup {
    fn example() -> Self {
        Self {
            name: "email".to_owned(),
            topic: "notifications.email".to_owned(),
            running: true,
            failing: false,
            error: None,
            links: links([("self", "/api/v1/operator/notifications/groups/email")]),
        }
    }
}

impl Shape for SwitchGroup {
    fn example() -> Self {
        Self { running: Some(true), failing: None }
    }
}

impl Shape for Analytics {
    fn example() -> Self {
        let counts = BTreeMap::from([("orders.placed".to_owned(), 12)]);
        let day = DayCounts { day: "2026-11-27".to_owned(), counts: counts.clone() };
        let links = links([("self", "/api/v1/operator/notifications/analytics")]);
        Self { totals: counts, days: vec![day], links }
    }
}
