//! What accounts and movements of money look like on the wire, for the document: see [`openapi`](super::document::openapi).
//!
//! Handlers write their answers themselves; a test of the platform holds them to these shapes.

use serde::Serialize;
use shop_edge::openapi::{Capitals, ID, Link, Links, Money, Shape, WHEN, links};
use utoipa::ToSchema;

/// An account, as what has happened to it makes it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner_id: String,
    /// Its currency, for ever.
    #[schema(value_type = Capitals<3>, inline)]
    pub currency: String,
    /// What is on it.
    pub balance: Money,
    /// How many events have led here.
    #[schema(minimum = 1)]
    pub version: u64,
    /// Whether its owner has left.
    pub closed: bool,
    /// When it was opened.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What is needed to open an account.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAccount {
    /// Its currency, for ever: three capital letters (ISO 4217).
    #[schema(value_type = Capitals<3>, inline)]
    pub currency: String,
}

/// How much money moves.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveMoney {
    /// Minor units of the account's currency.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_i64)]
    pub amount: i64,
}

/// A movement of money, which is the event that it became.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MovementMade {
    /// The account and the number of the event.
    pub id: String,
    /// The account.
    pub account_id: String,
    /// What happened.
    pub r#type: AccountEventType,
    /// The number of the event.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// How much.
    pub amount: Money,
    /// What is on the account after it.
    pub balance: Money,
    /// The version of the account after it.
    #[schema(minimum = 1)]
    pub version: u64,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// Something that happened to an account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AccountHappening {
    /// The account and the number of the event.
    pub id: String,
    /// The account.
    pub account_id: String,
    /// What happened.
    pub r#type: AccountEventType,
    /// The number of the event.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// How much, if money moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub amount: Option<Money>,
    /// What was on the account after it.
    pub balance: Money,
    /// The version of the account after it.
    #[schema(minimum = 1)]
    pub version: u64,
    /// What belongs to it; which fields depends on the type.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// When.
    #[schema(format = "date-time")]
    pub timestamp: String,
    /// Where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

/// What can happen to an account.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub enum AccountEventType {
    /// It was opened.
    Created,
    /// Money was paid in.
    Deposited,
    /// Money was taken out.
    Withdrawn,
    /// An order was paid.
    Charged,
    /// An order's money came back.
    Refunded,
    /// Its owner has left.
    Closed,
}

/// What a run must conserve: sums over all accounts, whatever their currencies, in minor units.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentTotals {
    /// How many accounts there are.
    pub accounts: i64,
    /// All that was paid in.
    pub deposits: i64,
    /// All that was taken out.
    pub withdrawals: i64,
    /// All that orders cost.
    pub charged: i64,
    /// All that came back from orders.
    pub refunded: i64,
    /// All that is on accounts, added up account by account.
    pub balances: i64,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = std::collections::BTreeMap<String, Link>)]
    pub links: Links,
}

impl Shape for Account {
    fn example() -> Self {
        let own = format!("/api/v1/accounts/{ID}");
        Self {
            id: ID.to_owned(),
            owner_id: ID.to_owned(),
            currency: "USD".to_owned(),
            balance: Money { amount: 50_000, currency: "USD".to_owned() },
            version: 2,
            closed: false,
            created_at: WHEN.to_owned(),
            links: links([("self", &own), ("events", &format!("{own}/events"))]),
        }
    }
}

impl Shape for OpenAccount {
    fn example() -> Self {
        Self { currency: "USD".to_owned() }
    }
}

impl Shape for MoveMoney {
    fn example() -> Self {
        Self { amount: 50_000 }
    }
}

impl Shape for MovementMade {
    fn example() -> Self {
        let account = format!("/api/v1/accounts/{ID}");
        Self {
            id: format!("{ID}-2"),
            account_id: ID.to_owned(),
            r#type: AccountEventType::Deposited,
            seq: 2,
            amount: Money { amount: 50_000, currency: "USD".to_owned() },
            balance: Money { amount: 50_000, currency: "USD".to_owned() },
            version: 2,
            links: links([("self", &format!("{account}/events/2")), ("account", &account)]),
        }
    }
}

impl Shape for AccountHappening {
    fn example() -> Self {
        let MovementMade { id, account_id, r#type, seq, amount, balance, version, links } =
            MovementMade::example();
        Self {
            id,
            account_id,
            r#type,
            seq,
            amount: Some(amount),
            balance,
            version,
            data: serde_json::json!({ "amount": 50_000 }),
            timestamp: WHEN.to_owned(),
            links,
        }
    }
}

impl Shape for PaymentTotals {
    fn example() -> Self {
        Self {
            accounts: 3,
            deposits: 90_000,
            withdrawals: 10_000,
            charged: 25_800,
            refunded: 12_900,
            balances: 67_100,
            links: links([("self", "/api/v1/operator/payments/totals")]),
        }
    }
}
