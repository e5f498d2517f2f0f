//! What the platform itself offers, beside the gateway and the services: records, backups, numbers, this document.

use serde::Serialize;
use serde_json::{Value, json};
use shop_edge::auth::JWKS;
use shop_edge::openapi::{Bodies, ID, Operation, Part, Shape, Text, WHEN};
use utoipa::ToSchema;

use super::{DOCUMENT, policies};
use crate::backup::job;

/// A record as it lies in the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Record {
    /// Its place in the partition.
    pub position: u64,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "date-time")]
    pub time: Option<String>,
    /// Its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub kind: Option<String>,
    /// What it is about; null for one that keeps no order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub source: Option<String>,
    /// The request that it follows from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub correlation: Option<String>,
    /// Headers beside those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Value>,
    /// Its content: JSON if it is JSON, a text otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// Why it cannot be read, in place of all the above but its position.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub undecodable: Option<String>,
}

/// Where a backup is to be made.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginBackup {
    /// A folder of the platform's machine that does not exist yet, from `/` on.
    #[schema(value_type = Text<1, 4096>, inline)]
    pub folder: String,
}

/// How the last backup stands.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct BackupState {
    /// `none`, `running`, `done` or `failed`.
    pub state: String,
    /// Its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub folder: Option<String>,
    /// Bytes that are copied so far, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub copied: Option<u64>,
    /// The moment that it is of, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = "date-time")]
    pub taken_at: Option<String>,
    /// For how many microseconds commits had to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paused_micros: Option<u64>,
    /// How many stores are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stores: Option<u64>,
    /// Whether the log is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub log: Option<bool>,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub bytes: Option<u64>,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

/// Every operation of the platform itself.
pub(super) fn openapi() -> Part {
    let own = |operation: Operation| operation.never(&[502, 504]);
    let part = Part::new(
        "operator",
        "What operators see and do; all of it asks for the operator's token.",
    );
    policies::operations()
        .into_iter()
        .fold(part, |part, operation| part.with(own(operation)))
        .with(own(records()))
        .with(own(publish()))
        .with(own(Operation::post(job::PATH, "createBackup"))
            .operator()
            .says("Begin a backup", "Of everything as of now. 409 while another one runs.")
            .body::<BeginBackup>(Bodies::Json)
            .accepted::<BackupState>("It has begun.")
            .refuses(&[409]))
        .with(own(Operation::get(job::PATH, "getBackup"))
            .operator()
            .says("Show how the last backup stands", "Of this process.")
            .ok::<BackupState>("How it stands."))
        .with(own(Operation::get("/metrics", "getMetrics"))
            .tagged("platform")
            .public()
            .uncounted()
            .says(
                "Show the numbers of the process",
                "As Prometheus reads them. Open on the machine itself; from elsewhere it asks for \
                 the operator's token.",
            )
            .text("The numbers.", "text/plain", "switchboard_edge_calls 1\n")
            .refuses(&[401]))
        .with(own(Operation::get(JWKS, "getKeys"))
            .tagged("platform")
            .public()
            .says(
                "Show the keys that verify tokens",
                "RFC 7517: the one that signs first, then the one that has signed before it.",
            )
            .ok::<Keys>("The keys."))
        .with(own(Operation::get(DOCUMENT, "getDocument"))
            .tagged("platform")
            .public()
            .says("Show this document", "OpenAPI 3.1; `/docs` shows it to people.")
            .ok::<Document>("The document."))
}

fn records() -> Operation {
    let place = json!({ "type": "integer", "minimum": 0, "default": 0 });
    Operation::get("/api/v1/operator/records", "listRecords")
        .operator()
        .says(
            "Show records of a topic",
            "Of one partition, oldest first. 409 with a broker that keeps no history, and for a \
             topic or partition that is not there.",
        )
        .needs("topic", "The topic.", json!({ "type": "string", "minLength": 1 }), "orders.events")
        .query("partition", "The partition.", place.clone(), 0)
        .query("after", "Only those after this position.", place, 0)
        .query(
            "limit",
            "How many, at most 500.",
            json!({ "type": "integer", "minimum": 1, "default": 20 }),
            20,
        )
        .list_of::<Record>("The records.")
        .refuses(&[409])
}

fn publish() -> Operation {
    Operation::post("/api/v1/operator/records", "createRecord")
        .operator()
        .says(
            "Publish a record outside of any transaction",
            "For repairs and drills: no service has decided it, and its readers park what they \
             cannot understand. 409 when the broker says no.",
        )
        .body::<NewRecord>(Bodies::Json)
        .created_nowhere::<RecordPlace>("It lies in the log.")
        .refuses(&[409])
}

/// A record that is to be published as it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecord {
    /// The topic, 1 to 249 characters.
    #[schema(value_type = Text<1, 249>, inline)]
    pub topic: String,
    /// Its type, 1 to 200 characters.
    #[schema(value_type = Text<1, 200>, inline)]
    pub kind: String,
    /// What it is about, 1 to 500 characters.
    #[schema(value_type = Text<1, 500>, inline)]
    pub key: String,
    /// Its content, any text of one line up to 65 536 characters.
    pub payload: String,
}

/// Where a record lies.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordPlace {
    /// Its id.
    pub id: String,
    /// The partition.
    pub partition: u32,
    /// Its place in the partition.
    pub position: u64,
}

/// The public keys of the shop.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Keys {
    /// One or two of them.
    #[schema(min_items = 1, max_items = 2)]
    pub keys: Vec<Key>,
}

/// A public key (RFC 8037).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Key {
    /// Always `OKP`.
    pub kty: String,
    /// Always `Ed25519`.
    pub crv: String,
    /// Always `EdDSA`.
    pub alg: String,
    /// Always `sig`.
    pub r#use: String,
    /// Its id, which tokens name.
    pub kid: String,
    /// The key itself, base64url.
    pub x: String,
}

/// An OpenAPI document.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Document {
    /// The version of OpenAPI.
    pub openapi: String,
    /// What it is about.
    #[schema(value_type = Object)]
    pub info: Value,
    /// The operations, by path and method.
    #[schema(value_type = Object)]
    pub paths: Value,
    /// What operations share.
    #[schema(value_type = Object)]
    pub components: Value,
    /// Groups of operations.
    #[schema(value_type = Vec<Object>)]
    pub tags: Value,
    /// Where the shop is.
    #[schema(value_type = Vec<Object>)]
    pub servers: Value,
    /// Who may call, unless an operation says otherwise.
    #[schema(value_type = Vec<Object>)]
    pub security: Value,
}

impl Shape for Record {
    fn example() -> Self {
        Self {
            position: 17,
            id: Some(ID.to_owned()),
            time: Some(WHEN.to_owned()),
            kind: Some("order.placed".to_owned()),
            key: Some(ID.to_owned()),
            source: Some("orders".to_owned()),
            correlation: Some(ID.to_owned()),
            headers: Some(json!({})),
            payload: Some(json!({ "order_id": ID })),
            undecodable: None,
        }
    }
}

impl Shape for NewRecord {
    fn example() -> Self {
        Self {
            topic: "inventory.commands".to_owned(),
            kind: "inventory.reserve".to_owned(),
            key: ID.to_owned(),
            payload: "{}".to_owned(),
        }
    }
}

impl Shape for RecordPlace {
    fn example() -> Self {
        Self { id: ID.to_owned(), partition: 3, position: 18 }
    }
}

impl Shape for BeginBackup {
    fn example() -> Self {
        Self { folder: "/backups/monday".to_owned() }
    }
}

impl Shape for BackupState {
    fn example() -> Self {
        let (folder, copied) = (Some("/backups/monday".to_owned()), Some(1_048_576));
        Self { state: "running".to_owned(), folder, copied, ..Self::default() }
    }
}

impl Shape for Keys {
    fn example() -> Self {
        let text = str::to_owned;
        let key = Key {
            kty: text("OKP"),
            crv: text("Ed25519"),
            alg: text("EdDSA"),
            r#use: text("sig"),
            kid: text("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
            x: text("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"),
        };
        Self { keys: vec![key] }
    }
}

impl Shape for Document {
    fn example() -> Self {
        Self {
            openapi: "3.1.0".to_owned(),
            info: json!({ "title": "Switchboard shop", "version": "1.0.0" }),
            paths: json!({}),
            components: json!({}),
            tags: json!([]),
            servers: json!([]),
            security: json!([]),
        }
    }
}
