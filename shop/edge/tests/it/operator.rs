//! What operators ask: only they may, and a blocked key is seen, replayed, dropped.

use axum::Router;
use http::Request;
use serde_json::json;
use shop_edge::Deps;
use switchboard_core::{Envelope, Key, Rng};
use switchboard_store::{Custody, Failure, Handled, Mark, Unit};

use crate::{Answer, ask, deps, request};

const DEAD: &str = "/operator/dead";

fn routes(deps: &Deps) -> Router {
    Router::new().nest("/operator", shop_edge::operator::routes(deps))
}

/// Parks a message of this key, or lets it join the queue.
async fn park(deps: &Deps, key: Key, sequence: u64) {
    let mut rng = Rng::from_seed(sequence);
    let envelope =
        Envelope::new("orders.events", "orders.placed", "orders", &*deps.clock, &mut rng)
            .with_key(key.clone())
            .with_payload(b"{\"order\":1}".to_vec());
    let failure = Failure {
        at: deps.clock.now(),
        attempt: 3,
        verdict: switchboard_core::Verdict::Terminal,
        error: "no such thing".to_owned(),
    };
    let handled = Handled {
        group: "mail".into(),
        mark: Mark::Foreign { id: sequence.to_string(), keep: std::time::Duration::from_secs(60) },
        key,
        custody: Custody::Blocks { bytes: envelope.encode(), due: None, failure },
    };
    deps.store.commit(Unit::new().handled(handled)).await.unwrap();
}

async fn as_operator(deps: &Deps, method: &str, path: &str, body: &str) -> Answer {
    let token = format!("Bearer {}", deps.auth.operator_token());
    let headers = [("authorization", &*token), ("content-type", "application/json")];
    ask(&routes(deps), request(method, path, &headers, body.to_owned())).await
}

#[tokio::test]
async fn only_the_operator_may_ask() {
    let deps = deps();
    let ann = deps.auth.sign("ann", std::time::Duration::from_secs(60)).unwrap();
    for path in ["/operator/dead", "/operator/gates", "/operator/positions"] {
        let token = format!("Bearer {ann}");
        let asked = request("GET", path, &[("authorization", &token)], "");
        ask(&routes(&deps), asked).await.assert_problem(403, "forbidden");
        let asked: Request<_> = request("GET", path, &[], "");
        ask(&routes(&deps), asked).await.assert_problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_parked_key_is_seen_with_its_failures_and_what_a_replay_would_run() {
    let deps = deps();
    park(&deps, Key::from("a/b"), 1).await;
    park(&deps, Key::from("a/b"), 2).await;
    let list = as_operator(&deps, "GET", DEAD, "").await;
    let item = &list.body["items"][0];
    assert_eq!(
        (&item["service"], &item["group"], &item["key"], &item["state"], &item["depth"]),
        (&json!("test"), &json!("mail"), &json!("a/b"), &json!("parked"), &json!(2))
    );
    assert_eq!(item["head"]["kind"], "orders.placed");
    assert_eq!(item["head"]["failures"][0]["error"], "no such thing");
    let shown = as_operator(&deps, "GET", "/operator/dead/mail/a%2Fb", "").await;
    assert_eq!(shown.body["waiting"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown.body["waiting"][0]["payload"], json!({ "order": 1 }));
    assert_eq!(shown.body["replay"]["messages"], 2);
    let gates = as_operator(&deps, "GET", "/operator/gates", "").await;
    assert_eq!(gates.body["items"][0]["key"], "a/b");
    let open = as_operator(&deps, "GET", "/operator/dead/mail/other", "").await;
    open.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_replay_wakes_the_key_and_an_open_key_is_a_conflict() {
    let deps = deps();
    park(&deps, Key::from("k"), 1).await;
    assert_eq!(as_operator(&deps, "POST", "/operator/dead/mail/k/replay", "").await.status, 202);
    let shown = as_operator(&deps, "GET", "/operator/dead/mail/k", "").await;
    assert_eq!((&shown.body["state"], shown.body["due"].is_string()), (&json!("waiting"), true));
    let open = as_operator(&deps, "POST", "/operator/dead/mail/open/replay", "").await;
    open.assert_problem(409, "conflict");
}

#[tokio::test]
async fn only_the_head_can_be_dropped_and_only_with_a_reason() {
    let deps = deps();
    let key = Key::from(vec![0xff, 0x01]);
    park(&deps, key.clone(), 1).await;
    let path = format!("/operator/dead/mail/{key}");
    let shown = as_operator(&deps, "GET", &path, "").await;
    let entry = shown.body["waiting"][0]["entry"].as_u64().unwrap();
    let skip = |entry: u64, reason: &str| {
        let body = json!({ "entry": entry, "reason": reason }).to_string();
        let (deps, path) = (deps.clone(), format!("{path}/skip"));
        async move { as_operator(&deps, "POST", &path, &body).await }
    };
    skip(entry, "").await.assert_problem(422, "validation");
    skip(entry + 1, "not this one").await.assert_problem(409, "conflict");
    assert_eq!(skip(entry, "sent by hand").await.status, 202);
    assert_eq!(deps.store.gate("mail", &key).await.unwrap(), None);
    let recorded = deps.store.stream("gates/mail", 0, 10).await.unwrap();
    assert!(String::from_utf8_lossy(&recorded[0].data).contains("sent by hand"));
}

#[tokio::test]
async fn positions_name_the_service_and_its_life() {
    let answer = as_operator(&deps(), "GET", "/operator/positions", "").await;
    assert_eq!((&answer.body["service"], &answer.body["newest"]), (&json!("test"), &json!(0)));
    assert!(answer.body["relay"].is_array() && answer.body["groups"].is_array());
}
