//! One HTTP client. A call that heard no answer is repeated only when the caller says that it may be.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use switchboard_core::{BoxError, Retryable, Verdict};

/// An answer is waited for so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries of a call that may be repeated.
const BETWEEN: Duration = Duration::from_millis(50);

/// Talks to one shop. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    base: String,
}

/// What the shop answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body; null when it is empty.
    pub body: Value,
    /// Whether it was stored by an earlier call with the same key.
    pub replayed: bool,
}

/// What is sent.
#[derive(Clone, Debug, Default)]
pub struct Call<'a> {
    /// Who calls.
    pub token: Option<&'a str>,
    /// The name of the operation, for those that must not happen twice.
    pub idempotency_key: Option<&'a str>,
    /// The body, if there is one.
    pub body: Option<Value>,
}

/// A call without a usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No answer came: whether the call had an effect is unknown.
    #[error("no answer from {method} {path}")]
    NoAnswer {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// An answer came that was not expected.
    #[error("{method} {path} answered {status}: {body}")]
    Unexpected {
        /// The method.
        method: Method,
        /// The path.
        path: String,
        /// The status.
        status: StatusCode,
        /// The body.
        body: Value,
    },
}

// === impl Client ===

impl Client {
    /// A client of the shop at this address: `http://127.0.0.1:8080`.
    pub fn new(base: impl Into<String>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = Http::builder(TokioExecutor::new()).build(connector);
        Self { http, base: base.into().trim_end_matches('/').to_owned() }
    }

    /// Calls once.
    ///
    /// # Errors
    /// [`CallError::NoAnswer`]; any status is an answer.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        call: &Call<'_>,
    ) -> Result<Answer, CallError> {
        let answered = tokio::time::timeout(PATIENCE, self.send(&method, path, call)).await;
        answered
            .unwrap_or_else(|elapsed| Err(elapsed.into()))
            .map_err(|source| CallError::NoAnswer { method, path: path.to_owned(), source })
    }

    async fn send(&self, method: &Method, path: &str, call: &Call<'_>) -> Result<Answer, BoxError> {
        let mut request =
            Request::builder().method(method.clone()).uri(format!("{}{path}", self.base));
        if let Some(token) = call.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(key) = call.idempotency_key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                serde_json::to_vec(body)?
            }
            None => Vec::new(),
        };
        let answer = self.http.request(request.body(Full::from(body))?).await?;
        let status = answer.status();
        let replayed = answer.headers().contains_key("idempotency-replayed");
        let bytes = answer.into_body().collect().await?.to_bytes();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into()),
        };
        Ok(Answer { status, body, replayed })
    }

    /// Calls until an answer comes that is not "later": for reads, and for calls with a key.
    ///
    /// # Errors
    /// The last [`CallError`] once `within` is over.
    pub async fn insist(
        &self,
        method: Method,
        path: &str,
        call: &Call<'_>,
        within: Duration,
    ) -> Result<Answer, CallError> {
        let begun = tokio::time::Instant::now();
        loop {
            let outcome = self.call(method.clone(), path, call).await;
            let again = match &outcome {
                Ok(answer) => is_later(answer),
                Err(_) => true,
            };
            if !again || begun.elapsed() > within {
                return outcome;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// Reads a resource, insisting for a minute.
    ///
    /// # Errors
    /// [`CallError`] when it cannot be had.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Result<Value, CallError> {
        let call = Call { token, ..Call::default() };
        let answer = self.insist(Method::GET, path, &call, Duration::from_secs(60)).await?;
        answer.expect(StatusCode::OK, &Method::GET, path)
    }
}

/// Whether the shop asks for the same call again: it starts, drains, or still runs the first one.
fn is_later(answer: &Answer) -> bool {
    let later =
        [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
    let still_running = answer.status == StatusCode::CONFLICT
        && answer.body["detail"].as_str().is_some_and(|text| text.contains("still running"));
    later.contains(&answer.status) || still_running
}

// === impl Answer ===

impl Answer {
    /// The body, if the status is the one expected.
    ///
    /// # Errors
    /// [`CallError::Unexpected`] otherwise.
    pub fn expect(
        self,
        status: StatusCode,
        method: &Method,
        path: &str,
    ) -> Result<Value, CallError> {
        if self.status == status {
            return Ok(self.body);
        }
        Err(CallError::Unexpected {
            method: method.clone(),
            path: path.to_owned(),
            status: self.status,
            body: self.body,
        })
    }
}

impl Retryable for CallError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::NoAnswer { .. } => Verdict::Retry,
            Self::Unexpected { .. } => Verdict::Terminal,
        }
    }
}
