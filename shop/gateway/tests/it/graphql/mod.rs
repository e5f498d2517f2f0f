//! GraphQL at the door, over services in memory: the protocol, the bounds, the graph, and results as they come.

mod away;
mod fake;
mod http;
mod schema;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Request};
use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shop_edge::{Auth, serve};
use shop_gateway::graphql::{self, Options};
use switchboard_core::SystemClock;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use fake::Fake;

/// A door to services in memory.
struct Shop {
    fake: Fake,
    auth: Arc<Auth>,
    router: Router,
    end: CancellationToken,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
    json: Value,
}

impl Shop {
    fn open(options: Options) -> Self {
        let auth = Arc::new(Auth::ephemeral(Arc::new(SystemClock)).unwrap());
        let (fake, end) = (Fake::default(), CancellationToken::new());
        let endpoint = graphql::shop(fake.services(), auth.clone(), options, end.clone());
        Self { fake, auth, router: endpoint.routes(), end }
    }

    fn development() -> Self {
        Self::open(Options::development())
    }

    fn token(&self, user_id: &str) -> String {
        format!("Bearer {}", self.auth.sign(user_id, Duration::from_secs(60)).unwrap())
    }

    fn operator(&self) -> String {
        format!("Bearer {}", self.auth.operator_token())
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let Ok(response) = serve::wrap_bare(self.router.clone()).oneshot(request).await;
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: head.status.as_u16(), headers: head.headers, text, json }
    }

    async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post("/graphql");
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, query: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(format!("/graphql{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Asks as somebody, and expects an answer that was run.
    async fn ask(&self, token: &str, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let headers = match token {
            "" => vec![],
            token => vec![("authorization", token)],
        };
        let answer = self.post(&headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The code of the first error.
    fn code(&self) -> &str {
        self.json["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
    }
}
