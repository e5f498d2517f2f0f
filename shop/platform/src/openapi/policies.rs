//! What the document says of the policies of a process.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use shop_edge::openapi::{Bodies, Link, Links, Operation, Shape, Text, WHEN, links};
use switchboard_resilience::control::{Action, Record, Transition, View};
use utoipa::ToSchema;

/// Where the policies are.
pub(crate) const PATH: &str = "/api/v1/resilience";

/// A policy as it stands: a breaker, a limit or a budget.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Which kind of policy: `breaker`, `bulkhead`, `retry_budget` …
    pub kind: String,
    /// Its state in one word: `closed`, `open`, `ok` …
    pub state: String,
    /// For how many seconds a breaker still stays open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub remaining_open_seconds: Option<f64>,
    /// What it counts now.
    pub figures: BTreeMap<String, f64>,
    /// What it is set to, and can be set to.
    pub settings: BTreeMap<String, f64>,
    /// Its last changes of state, newest first.
    pub transitions: Vec<Change>,
    /// What an operator has done, in the answer to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub record: Option<Deed>,
    /// Where it is, and where it is taken by hand.
    #[serde(rename = "_links")]
    #[schema(value_type = BTreeMap<String, Link>)]
    pub links: Links,
}

/// One change of state.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Change {
    /// When.
    #[schema(format = "date-time")]
    pub at: String,
    /// From which state.
    pub from: String,
    /// To which.
    pub to: String,
    /// Why.
    pub because: String,
}

/// Something that an operator has done to a policy.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Deed {
    /// When.
    #[schema(format = "date-time")]
    pub at: String,
    /// To which policy.
    pub policy: String,
    /// What: `isolate`, `disable`, `observe`, `release` or `reconfigure`.
    pub action: String,
    /// The settings that were changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub settings: Option<BTreeMap<String, f64>>,
    /// Who.
    pub actor: String,
    /// Why, in their words.
    pub why: String,
    /// The state before.
    pub before: String,
    /// The state after.
    pub after: String,
}

/// All policies of the process.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Policies {
    /// The policies, by name.
    pub items: Vec<Policy>,
    /// What operators have done, newest first; the last 256.
    pub records: Vec<Deed>,
    /// Where this is.
    #[serde(rename = "_links")]
    #[schema(value_type = BTreeMap<String, Link>)]
    pub links: Links,
}

/// A policy is to be taken out of its own hands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// `isolated` lets nothing through, `disabled` everything; `observing` does too, and goes on
    /// counting when it would have stopped calls.
    pub state: Forced,
    /// Why, 3 to 500 characters.
    #[schema(value_type = Text<3, 500>, inline)]
    pub why: String,
}

/// What a policy can be forced to.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    /// Nothing passes.
    Isolated,
    /// Everything passes, and nothing is counted.
    Disabled,
    /// Everything passes, and what would have been stopped is counted.
    Observing,
}

/// Other settings for a policy.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconfigure {
    /// Values by the names that the policy shows; those that are not named stay.
    pub settings: BTreeMap<String, f64>,
    /// Why, 3 to 500 characters.
    #[schema(value_type = Text<3, 500>, inline)]
    pub why: String,
}

impl From<&View> for Policy {
    fn from(view: &View) -> Self {
        let numbers = |pairs: &[(&'static str, f64)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
        };
        let href = format!("{PATH}/{}", crate::commands::remote::segment(view.name.as_str()));
        Self {
            name: view.name.to_string(),
            kind: view.kind.to_owned(),
            state: view.state.to_owned(),
            remaining_open_seconds: view.remaining_open.map(|remaining| remaining.as_secs_f64()),
            figures: numbers(&view.figures),
            settings: numbers(&view.settings),
            transitions: view.transitions.iter().map(Change::from).collect(),
            record: None,
            links: links([("self", &*href), ("override", &format!("{href}/override"))]),
        }
    }
}

impl From<&Transition> for Change {
    fn from(transition: &Transition) -> Self {
        Self {
            at: transition.at.to_string(),
            from: transition.from.to_owned(),
            to: transition.to.to_owned(),
            because: transition.because.clone(),
        }
    }
}

impl From<&Record> for Deed {
    fn from(record: &Record) -> Self {
        let settings = match &record.action {
            Action::Reconfigure { settings } => Some(settings.clone()),
            _ => None,
        };
        Self {
            at: record.at.to_string(),
            policy: record.policy.to_string(),
            action: record.action.name().to_owned(),
            settings,
            actor: record.actor.clone(),
            why: record.why.clone(),
            before: record.before.to_owned(),
            after: record.after.to_owned(),
        }
    }
}

/// The operations.
pub(super) fn operations() -> [Operation; 5] {
    let name = |operation: Operation| {
        let schema = json!({ "type": "string", "minLength": 1 });
        operation.operator().at("name", "The policy.", schema, "orders")
    };
    [
        Operation::get("/api/v1/resilience", "listPolicies")
            .operator()
            .says(
                "Show every breaker, limit and budget of the process",
                "With what operators have done to them.",
            )
            .ok::<Policies>("The policies."),
        name(Operation::get("/api/v1/resilience/{name}", "getPolicy"))
            .says("Show a policy", "Its state, its window and its last changes.")
            .ok::<Policy>("The policy."),
        name(Operation::patch("/api/v1/resilience/{name}", "changePolicy"))
            .says(
                "Change the settings of a policy",
                "At once, and for this process. 409 for a policy that has none.",
            )
            .body::<Reconfigure>(Bodies::Json)
            .ok::<Policy>("The policy as it is now.")
            .refuses(&[409]),
        name(Operation::put("/api/v1/resilience/{name}/override", "overridePolicy"))
            .says(
                "Take a policy out of its own hands",
                "Until it is released. 409 for a policy that cannot be.",
            )
            .body::<Override>(Bodies::Json)
            .ok::<Policy>("The policy as it is now.")
            .refuses(&[409]),
        name(Operation::delete("/api/v1/resilience/{name}/override", "releasePolicy"))
            .says("Give a policy back its own judgement", "It begins anew.")
            .query(
                "why",
                "The reason, which is kept with who did it.",
                json!({ "type": "string", "minLength": 3, "maxLength": 500 }),
                "maintenance is over",
            )
            .ok::<Policy>("The policy as it is now.")
            .refuses(&[409]),
    ]
}

impl Shape for Policy {
    fn example() -> Self {
        let numbers = |pairs: &[(&str, f64)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
        };
        let change = Change {
            at: WHEN.to_owned(),
            from: "closed".to_owned(),
            to: "open".to_owned(),
            because: "failure rate 62 %".to_owned(),
        };
        Self {
            name: "orders".to_owned(),
            kind: "breaker".to_owned(),
            state: "open".to_owned(),
            remaining_open_seconds: Some(3.2),
            figures: numbers(&[("calls", 40.0)]),
            settings: numbers(&[("failure_rate", 0.5)]),
            transitions: vec![change],
            record: None,
            links: links([
                ("self", "/api/v1/resilience/orders"),
                ("override", "/api/v1/resilience/orders/override"),
            ]),
        }
    }
}

impl Shape for Policies {
    fn example() -> Self {
        let deed = Deed {
            at: WHEN.to_owned(),
            policy: "orders".to_owned(),
            action: "isolate".to_owned(),
            settings: None,
            actor: "operator".to_owned(),
            why: "maintenance".to_owned(),
            before: "closed".to_owned(),
            after: "isolated".to_owned(),
        };
        let items = vec![Policy::example()];
        Self { items, records: vec![deed], links: links([("self", "/api/v1/resilience")]) }
    }
}

impl Shape for Override {
    fn example() -> Self {
        Self { state: Forced::Isolated, why: "maintenance".to_owned() }
    }
}

impl Shape for Reconfigure {
    fn example() -> Self {
        let settings = BTreeMap::from([("failure_rate".to_owned(), 0.4)]);
        Self { settings, why: "it opens too late".to_owned() }
    }
}
