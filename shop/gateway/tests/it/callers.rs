//! What the door adds for each caller: how often they may call, which versions there are, the keys, and an orderly end.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use shop_edge::{Auth, auth};
use shop_gateway::{Callers, Gateway, Limits, Route};
use switchboard_core::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::upstreams::Upstream;
use crate::{Answer, Door};

fn keys() -> Arc<Auth> {
    Arc::new(Auth::ephemeral(Arc::new(SystemClock)).unwrap())
}

async fn limited(limits: &str, auth: &Arc<Auth>, upstream: &Upstream) -> Door {
    let limits: Limits = limits.parse().unwrap();
    let gateway = Gateway::new([Route::new("/things", "things", upstream.address)]);
    Door::of(gateway.with_callers(Callers::new(limits, auth.clone()))).await
}

impl Door {
    async fn get_as(&self, path: &str, token: &str) -> Answer {
        let request = self.request("GET", path).header("authorization", format!("Bearer {token}"));
        self.call(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn e10_each_caller_has_a_quota_of_their_own_and_learns_how_much_is_left() {
    let (auth, upstream) = (keys(), Upstream::start("echo").await);
    let door = limited("3/3600", &auth, &upstream).await;
    for left in ["r=2", "r=1", "r=0"] {
        let answer = door.get("/things/fixed").await;
        assert_eq!(
            (answer.status, answer.header("ratelimit-policy")),
            (200, "\"caller\";q=3;w=3600")
        );
        let state = answer.header("ratelimit");
        assert!(state.starts_with(&format!("\"caller\";{left};t=")), "{state}");
    }
    let refused = door.get("/things/fixed").await;
    refused.assert_problem(429, "too-many-requests");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1_190..=1_200).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").contains("r=0"));
    // Made-up tokens open no new bucket, and good ones have their own, whatever the address.
    door.get_as("/things/fixed", "made-up").await.assert_problem(429, "too-many-requests");
    for user in ["ann", "bob"] {
        let token = auth.sign(user, Duration::from_secs(60)).unwrap();
        let answer = door.get_as("/things/fixed", &token).await;
        assert!(answer.status == 200 && answer.header("ratelimit").contains("r=2"), "{user}");
    }
    for path in ["/livez", "/readyz", "/startupz"] {
        let answer = door.get(path).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, ""), "{path}");
    }
}

#[tokio::test]
async fn e10_usual_limits_are_beyond_what_a_test_can_do_and_off_is_off() {
    let (auth, upstream) = (keys(), Upstream::start("echo").await);
    let usual = limited("usual", &auth, &upstream).await.get("/things/fixed").await;
    assert_eq!(usual.header("ratelimit-policy"), "\"caller\";q=1200000;w=60");
    let off = limited("off", &auth, &upstream).await.get("/things/fixed").await;
    assert_eq!((off.status, off.header("ratelimit")), (200, ""));
}

#[tokio::test]
async fn e9_the_door_says_which_versions_there_are() {
    let door = Door::open([]).await;
    for (path, expected) in [
        ("/api/v7/users", "v1, v2"),
        ("/api/v2/orders", "versions v1;"),
        ("/api/users", "v1 and v2"),
    ] {
        let answer = door.get(path).await;
        answer.assert_problem(404, "not-found");
        assert!(answer.json()["detail"].as_str().unwrap().contains(expected), "{}", answer.json());
        assert_eq!(answer.header("link"), "</versions>; rel=\"version-history\"");
    }
    let versions = door.get("/versions").await;
    assert_eq!((versions.status, versions.header("content-type")), (200, "application/json"));
    assert_eq!(door.get("/").await.json()["idempotency"]["kept_seconds"], 86_400);
}

#[tokio::test]
async fn the_keys_that_verify_tokens_are_public() {
    let auth = keys();
    let door = Door::of(Gateway::new([]).with_routes(auth::routes(auth.clone()))).await;
    let answer = door.get(auth::JWKS).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let keys = answer.json()["keys"].clone();
    let key = &keys[0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&"OKP".into(), &"Ed25519".into(), &"EdDSA".into())
    );
    assert_eq!(key["kid"], *auth.key_ids()[0]);
    assert_eq!(key["x"].as_str().map(str::len), Some(43));
    assert!(key.get("d").is_none() && keys.as_array().unwrap().len() == 1);
}

#[tokio::test]
async fn e13_a_door_that_ends_is_not_ready_and_still_serves() {
    let end = CancellationToken::new();
    let upstream = Upstream::start("echo").await;
    let gateway = Gateway::new([Route::new("/things", "things", upstream.address)]);
    let door = Door::of(gateway.with_end(end.clone())).await;
    assert_eq!(door.get("/readyz").await.status, 200);
    assert_eq!(door.get("/startupz").await.status, 200);
    end.cancel();
    let answer = door.get("/readyz").await;
    assert_eq!((answer.status, &answer.json()["status"]), (503, &"draining".into()));
    assert_eq!(door.get("/startupz").await.status, 200);
    assert_eq!(door.get("/things/fixed").await.status, 200);
}

#[tokio::test]
async fn e4_e6_what_a_service_has_made_of_its_answer_passes_untouched() {
    let upstream = Upstream::start("echo").await;
    let routes = ["/things", "/events"].map(|path| Route::new(path, "things", upstream.address));
    let door = Door::open(routes).await;
    let get = door.get("/things/json").await;
    let tag = get.header("etag").to_owned();
    assert!(tag.starts_with('"'), "{tag}");
    let head = door.call(door.request("HEAD", "/things/json").body(Body::empty()).unwrap()).await;
    let length = get.bytes.len().to_string();
    assert_eq!((head.status, head.header("content-length")), (200, &*length));
    assert_eq!((head.header("etag"), head.bytes.len()), (&*tag, 0));
    let stream = door.call(door.request("HEAD", "/events").body(Body::empty()).unwrap()).await;
    assert_eq!((stream.status, stream.header("content-length")), (200, ""), "of unknown length");
    let same = door.request("GET", "/things/json").header("if-none-match", &tag);
    let same = door.call(same.body(Body::empty()).unwrap()).await;
    assert_eq!((same.status, same.header("etag"), same.bytes.len()), (304, &*tag, 0));
    let zipped = door.request("GET", "/things/json").header("accept-encoding", "gzip");
    let zipped = door.call(zipped.body(Body::empty()).unwrap()).await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert_eq!(zipped.bytes[..2], [0x1f, 0x8b], "compressed once");
    for (method, path, accept, status) in [
        ("GET", "/things/json", "text/html", 406),
        ("POST", "/things/json", "*/*", 405),
        ("BREW", "/things/json", "*/*", 501),
    ] {
        let request = door.request(method, path).header("accept", accept);
        let answer = door.call(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{method} {accept}");
    }
}
