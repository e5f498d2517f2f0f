//! What every service offers to operators, described once beside what it answers: see [`crate::operator`].

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::text::Text;
use super::{Bodies, ID, Link, Links, Operation, Part, Shape, WHEN, links};

/// How a blocked key stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It is tried again by itself.
    Waiting,
    /// An operator has to act.
    Parked,
}

/// What an error answered to "again?".
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes, later.
    Retry,
    /// No.
    Terminal,
    /// Not before somebody has acted.
    Stuck,
}

/// A key that is blocked.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Gate {
    /// The service in whose store it is blocked.
    pub service: String,
    /// The group that blocked it.
    pub group: String,
    /// The key; one that is no text is `0x` and its digits.
    pub key: String,
    /// Whether it is tried again by itself.
    pub state: KeyState,
    /// When it is tried again; null when it is parked.
    #[schema(format = "date-time")]
    pub due: Option<String>,
    /// Since when it is blocked.
    #[schema(format = "date-time")]
    pub since: String,
    /// How many messages wait, the first one included.
    pub depth: u64,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = BTreeMap<String, Link>)]
    pub links: Links,
}

/// A blocked key with the message that blocks it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeadKey {
    /// The service in whose store it is blocked.
    pub service: String,
    /// The group that blocked it.
    pub group: String,
    /// The key.
    pub key: String,
    /// Whether it is tried again by itself.
    pub state: KeyState,
    /// When it is tried again; null when it is parked.
    #[schema(format = "date-time")]
    pub due: Option<String>,
    /// Since when it is blocked.
    #[schema(format = "date-time")]
    pub since: String,
    /// How many messages wait, the first one included.
    pub depth: u64,
    /// The first message; null when it has just been handled.
    pub head: Option<WaitingMessage>,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = BTreeMap<String, Link>)]
    pub links: Links,
}

/// A blocked key with everything that waits behind it, and what a replay would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeadKeyWhole {
    /// The service in whose store it is blocked.
    pub service: String,
    /// The group that blocked it.
    pub group: String,
    /// The key.
    pub key: String,
    /// Whether it is tried again by itself.
    pub state: KeyState,
    /// When it is tried again; null when it is parked.
    #[schema(format = "date-time")]
    pub due: Option<String>,
    /// Since when it is blocked.
    #[schema(format = "date-time")]
    pub since: String,
    /// How many messages wait, the first one included.
    pub depth: u64,
    /// The first 200 of them, in order.
    #[schema(max_items = 200)]
    pub waiting: Vec<WaitingMessage>,
    /// What a replay would set in motion; null when the key has just been opened.
    pub replay: Option<BlastRadius>,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = BTreeMap<String, Link>)]
    pub links: Links,
}

/// A message that waits behind a blocked key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WaitingMessage {
    /// Its place in the queue, to name it when it is dropped.
    pub entry: u64,
    /// When it came to the queue.
    #[schema(format = "date-time")]
    pub since: String,
    /// Its failures, oldest first; at most the first and the last nine.
    #[schema(max_items = 10)]
    pub failures: Vec<Attempt>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<String>,
    /// Its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub kind: Option<String>,
    /// The topic it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub topic: Option<String>,
    /// The request that it follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub correlation: Option<String>,
    /// Its content; null when that is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// Why it cannot be read, in place of the four fields above.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub undecodable: Option<String>,
}

/// One failed attempt.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Attempt {
    /// When it failed.
    #[schema(format = "date-time")]
    pub at: String,
    /// How many times it had been tried, this one included.
    pub attempt: u32,
    /// What the error answered to "again?".
    pub verdict: Verdict,
    /// The error with its causes.
    pub error: String,
}

/// What a replay of a key would set in motion.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BlastRadius {
    /// Messages that would be handled.
    pub messages: u64,
    /// How many of each type, among the first 1 000; `?` stands for those that cannot be read.
    pub kinds: BTreeMap<String, u64>,
    /// When the oldest of them happened.
    #[schema(format = "date-time")]
    pub oldest: Option<String>,
    /// Whether the first one cannot even be read, so that a replay parks it again.
    pub hopeless: bool,
}

/// Which message is dropped, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// The `entry` of the key's first message.
    #[schema(minimum = 0)]
    pub entry: i64,
    /// Why, 3 to 500 characters; it is recorded with the message.
    #[schema(value_type = Text<3, 500>, inline)]
    pub reason: String,
}

/// How far a service and its groups have come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Positions {
    /// The service.
    pub service: String,
    /// Which life of its store this is; a restore begins the next.
    pub incarnation: u32,
    /// The newest position of its own log.
    pub newest: u64,
    /// How far its relay has come, by slot.
    pub relay: Vec<RelayPosition>,
    /// How far every group on the broker has come, by partition.
    pub groups: Vec<GroupPosition>,
    /// What can be done now, and where to go from here.
    #[serde(rename = "_links")]
    #[schema(value_type = BTreeMap<String, Link>)]
    pub links: Links,
}

/// How far a relay has come in one slot.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RelayPosition {
    /// One of 256 places among which keys are divided.
    #[schema(minimum = 0, maximum = 255)]
    pub slot: u16,
    /// Everything up to here is published.
    pub position: u64,
}

/// How far a group has come in one partition.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupPosition {
    /// The group.
    pub group: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// Everything up to here is done.
    pub position: u64,
    /// Records after that.
    pub lag: u64,
    /// When the oldest of them was published; null when there is none.
    #[schema(format = "date-time")]
    pub oldest: Option<String>,
    /// Members of the group that hold the partition now.
    #[schema(minimum = 0, maximum = 1)]
    pub members: u32,
}

/// What a service's operator routes offer under its prefix (`/api/v1/operator/users`), added to the
/// service's own part. `name` ends the ids: `listDeadOfUsers`.
pub fn operators(part: Part, prefix: &str, name: &str) -> Part {
    const TAG: &str = "operator";
    let key = format!("{prefix}/dead/{{group}}/{{key}}");
    let id = |verb: &str| format!("{verb}Of{name}");
    let at_key = |operation: Operation| {
        let text = json!({ "type": "string", "minLength": 1 });
        operation
            .tagged(TAG)
            .operator()
            .at("group", "The group that blocked the key.", text.clone(), "orders.saga")
            .at("key", "The key; one that is no text as `0x` and its digits.", text, ID)
    };
    let list = Operation::get(&format!("{prefix}/dead"), &id("listDead"))
        .says(
            "List blocked keys with their first message",
            "Those first that have been blocked longest, at most 200.",
        )
        .tagged(TAG)
        .operator()
        .list_of::<DeadKey>("The blocked keys.");
    let show = at_key(Operation::get(&key, &id("getDead")))
        .says("Show a blocked key", "With what waits behind it, and what a replay would run.")
        .ok::<DeadKeyWhole>("The key.");
    let replay = at_key(Operation::post(&format!("{key}/replay"), &id("replayDead")))
        .says("Try a blocked key again", "In order, from its first message, with fresh attempts.")
        .empty("202", "It is tried as soon as its service gets to it.")
        .refuses(&[409]);
    let skip = at_key(Operation::post(&format!("{key}/skip"), &id("skipDead")))
        .says("Drop the first message of a key", "Those behind it go on. Nobody gets it back.")
        .body::<Skip>(Bodies::Json)
        .empty("202", "It is dropped.")
        .refuses(&[409]);
    let gates = Operation::get(&format!("{prefix}/gates"), &id("listGates"))
        .says("List blocked keys", "The same without their messages.")
        .tagged(TAG)
        .operator()
        .list_of::<Gate>("The blocked keys.");
    let positions = Operation::get(&format!("{prefix}/positions"), &id("getPositions"))
        .says("Show how far everything has come", "The service's log, its relay, and all groups.")
        .tagged(TAG)
        .operator()
        .ok::<Positions>("The positions.");
    [list, show, replay, skip, gates, positions].into_iter().fold(part, Part::with)
}

impl Shape for Gate {
    fn example() -> Self {
        Self {
            service: "orders".to_owned(),
            group: "orders.saga".to_owned(),
            key: ID.to_owned(),
            state: KeyState::Parked,
            due: None,
            since: WHEN.to_owned(),
            depth: 2,
            links: links([("self", &format!("/api/v1/operator/orders/dead/orders.saga/{ID}"))]),
        }
    }
}

impl Shape for DeadKey {
    fn example() -> Self {
        let Gate { service, group, key, state, due, since, depth, links } = Gate::example();
        let head = Some(WaitingMessage::example());
        Self { service, group, key, state, due, since, depth, head, links }
    }
}

impl Shape for DeadKeyWhole {
    fn example() -> Self {
        let Gate { service, group, key, state, due, since, depth, links } = Gate::example();
        let waiting = vec![WaitingMessage::example()];
        let replay = Some(BlastRadius {
            messages: 2,
            kinds: BTreeMap::from([("saga.reply".to_owned(), 2)]),
            oldest: Some(WHEN.to_owned()),
            hopeless: false,
        });
        Self { service, group, key, state, due, since, depth, waiting, replay, links }
    }
}

impl Shape for WaitingMessage {
    fn example() -> Self {
        Self {
            entry: 7,
            since: WHEN.to_owned(),
            failures: vec![Attempt {
                at: WHEN.to_owned(),
                attempt: 10,
                verdict: Verdict::Retry,
                error: "the store cannot be read: the disk is full".to_owned(),
            }],
            id: Some(ID.to_owned()),
            kind: Some("saga.reply".to_owned()),
            topic: Some("orders.replies".to_owned()),
            correlation: Some(ID.to_owned()),
            payload: Some(json!({ "outcome": "done" })),
            undecodable: None,
        }
    }
}

impl Shape for Skip {
    fn example() -> Self {
        Self { entry: 7, reason: "was refunded by hand".to_owned() }
    }
}

impl Shape for Positions {
    fn example() -> Self {
        Self {
            service: "orders".to_owned(),
            incarnation: 1,
            newest: 4_711,
            relay: vec![RelayPosition { slot: 17, position: 4_711 }],
            groups: vec![GroupPosition {
                group: "orders.saga".to_owned(),
                topic: "orders.replies".to_owned(),
                partition: 0,
                position: 311,
                lag: 0,
                oldest: None,
                members: 1,
            }],
            links: links([("self", "/api/v1/operator/orders/positions")]),
        }
    }
}
