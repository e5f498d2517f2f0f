//! Results over a WebSocket, in the protocol `graphql-transport-ws`: many operations on one connection, each by the caller's own id.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Executor, ServerError};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::request::Parts;
use serde_json::{Map, Value, json};
use shop_edge::Problem;
use tokio::time::Instant;
use tokio_stream::StreamMap;

use super::caller::Caller;
use super::endpoint::Inner;
use super::errors;
use super::places::Place;
use super::request::Raw;
use super::respond::{self, Outcome};
use crate::callers::bearer;

/// The name of the protocol.
const PROTOCOL: &str = "graphql-transport-ws";
/// Characters of an operation's id.
const ID_MAX: usize = 128;
/// How long a caller may leave what was sent unread.
const SEND: Duration = Duration::from_secs(10);
/// Signs of life that may be missing before a caller counts as gone.
const MISSED: u32 = 3;

/// One connection.
struct Connection<E> {
    inner: Arc<Inner<E>>,
    caller: Caller,
    is_acknowledged: bool,
    operations: StreamMap<String, stream::BoxStream<'static, Option<Outcome>>>,
    place: Place,
}

/// Why a connection ends, as the protocol numbers it.
struct Close(u16, String);

/// Accepts the connection, when there is room for one more.
pub(super) fn upgrade<E: Executor>(
    inner: Arc<Inner<E>>,
    parts: &Parts,
    upgrade: WebSocketUpgrade,
) -> Response {
    let caller = match Caller::of(parts, &inner.auth, inner.options.timeout) {
        Ok(caller) => caller,
        Err(problem) => return respond::unread(&problem, inner.options.profile),
    };
    let place = match inner.places.take(&caller.account()) {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    let most = inner.options.streams.message;
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(most).max_frame_size(most);
    let speaks = upgrade.selected_protocol().is_some();
    let operations = StreamMap::new();
    let connection = Connection { inner, caller, is_acknowledged: false, operations, place };
    upgrade.on_upgrade(async move |socket| connection.run(socket, speaks).await)
}

// === impl Connection ===

impl<E: Executor> Connection<E> {
    async fn run(mut self, mut socket: WebSocket, speaks: bool) {
        let closing = if speaks {
            self.talk(&mut socket).await
        } else {
            Some(Close(4406, format!("Subprotocol not acceptable: speak {PROTOCOL}")))
        };
        if let Some(Close(code, reason)) = closing {
            let frame = CloseFrame { code, reason: reason.into() };
            let closing = socket.send(Message::Close(Some(frame)));
            let _the_caller_may_be_gone = tokio::time::timeout(SEND, closing).await;
        }
    }

    /// Until somebody ends it; `None` when the caller is gone.
    async fn talk(&mut self, socket: &mut WebSocket) -> Option<Close> {
        let bounds = self.inner.options.streams;
        let init = Instant::now() + bounds.init;
        let (mut heard, mut active) = (Instant::now(), Instant::now());
        let mut beat = tokio::time::interval(bounds.heartbeat);
        beat.reset();
        let end = self.inner.end.clone();
        loop {
            let said = tokio::select! {
                () = end.cancelled() => return Some(Close(1001, "Going away".to_owned())),
                message = socket.recv() => {
                    heard = Instant::now();
                    match message? {
                        Ok(Message::Text(text)) => {
                            let begun = self.operations.len();
                            match self.hear(&text) {
                                Ok(said) => {
                                    // A sign of life is no use of the connection.
                                    if self.operations.len() != begun {
                                        active = heard;
                                    }
                                    said
                                }
                                Err(close) => return Some(close),
                            }
                        }
                        Ok(Message::Binary(_)) => return Some(invalid("only text is read")),
                        // Reading on answers a ping, and a close, after which there is no more.
                        Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => continue,
                        Err(_) => return Some(Close(1009, "The message is too large".to_owned())),
                    }
                }
                Some((id, outcome)) = self.operations.next(), if !self.operations.is_empty() => {
                    active = Instant::now();
                    Some(self.tell(&id, outcome))
                }
                () = tokio::time::sleep_until(init), if !self.is_acknowledged => {
                    let reason = "Connection initialisation timeout".to_owned();
                    return Some(Close(4408, reason));
                }
                () = tokio::time::sleep_until(active + bounds.idle) => {
                    return Some(Close(1000, "Nothing was said for too long".to_owned()));
                }
                _ = beat.tick() => {
                    if heard.elapsed() > bounds.heartbeat * MISSED {
                        return None;
                    }
                    send(socket, Message::Ping(Default::default())).await?;
                    continue;
                }
            };
            if let Some(said) = said {
                send(socket, Message::Text(Utf8Bytes::from(said))).await?;
            }
        }
    }

    /// What a message of the caller is answered with, if anything.
    fn hear(&mut self, text: &str) -> Result<Option<String>, Close> {
        let message: Value = serde_json::from_str(text).map_err(|_| invalid("it is not JSON"))?;
        let payload = message.get("payload").filter(|payload| !payload.is_null());
        match message["type"].as_str() {
            Some("connection_init") => self.begin(payload).map(Some),
            Some("ping") => Ok(Some(match payload {
                Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
                None => json!({ "type": "pong" }).to_string(),
            })),
            Some("pong") => Ok(None),
            Some("subscribe") => {
                let id = id_of(&message)?;
                match payload {
                    Some(Value::Object(parameters)) => self.subscribe(id, parameters.clone()),
                    _ => Err(invalid("`payload` must be an object")),
                }
            }
            Some("complete") => {
                self.operations.remove(&id_of(&message)?);
                Ok(None)
            }
            _ => Err(invalid("`type` is none that a caller sends")),
        }
    }

    fn begin(&mut self, payload: Option<&Value>) -> Result<String, Close> {
        if self.is_acknowledged {
            return Err(Close(4429, "Too many initialisation requests".to_owned()));
        }
        if let Some(token) = payload.and_then(token_of) {
            let caller = self.caller.clone().with_token(token, &self.inner.auth);
            self.caller = caller.map_err(|_| Close(4403, "Forbidden".to_owned()))?;
            // From now on it is one of this account's, and no longer one of its network's.
            let place = self.inner.places.take(&self.caller.account());
            self.place = place.map_err(|problem| Close(4429, problem.detail().to_owned()))?;
        }
        self.is_acknowledged = true;
        Ok(json!({ "type": "connection_ack" }).to_string())
    }

    fn subscribe(
        &mut self,
        id: String,
        parameters: Map<String, Value>,
    ) -> Result<Option<String>, Close> {
        if !self.is_acknowledged {
            return Err(Close(4401, "Unauthorized".to_owned()));
        }
        if self.operations.contains_key(&id) {
            return Err(Close(4409, format!("Subscriber for {id} already exists")));
        }
        let most = self.inner.options.streams.operations;
        if self.operations.len() >= most {
            let detail = format!("{most} operations run on this connection; end one first.");
            let error = errors::error_of(&Problem::too_many_requests(detail, 1));
            return Ok(Some(error_message(&id, &[error])));
        }
        let caller = self.caller.clone().with_time(self.inner.options.timeout);
        let ready = Raw::of_parameters(parameters)
            .map_err(|problem| errors::error_of(&problem))
            .and_then(|raw| self.inner.ready(caller, raw));
        match ready {
            Err(error) => Ok(Some(error_message(&id, &[error]))),
            Ok(ready) => {
                let results = self.inner.clone().results(ready);
                // The end is told too, and a stream that has ended is silent.
                let told = results.map(Some).chain(stream::iter([None]));
                self.operations.insert(id, told.boxed());
                Ok(None)
            }
        }
    }

    /// The message for what became of an operation.
    fn tell(&mut self, id: &str, outcome: Option<Outcome>) -> String {
        match outcome {
            None => json!({ "type": "complete", "id": id }).to_string(),
            Some(outcome) if outcome.has_run => {
                // The result is JSON already.
                let (id, payload) = (json!(id), outcome.to_json());
                format!("{{\"type\":\"next\",\"id\":{id},\"payload\":{payload}}}")
            }
            Some(outcome) => {
                self.operations.remove(id);
                error_message(id, &outcome.response.errors)
            }
        }
    }
}

fn error_message(id: &str, errors: &[ServerError]) -> String {
    json!({ "type": "error", "id": id, "payload": errors }).to_string()
}

async fn send(socket: &mut WebSocket, message: Message) -> Option<()> {
    tokio::time::timeout(SEND, socket.send(message)).await.ok()?.ok()
}

fn invalid(why: &str) -> Close {
    Close(4400, format!("Invalid message: {why}"))
}

fn id_of(message: &Value) -> Result<String, Close> {
    let id = message["id"].as_str().filter(|id| (1..=ID_MAX).contains(&id.len()));
    id.map(str::to_owned).ok_or_else(|| invalid("`id` must be a text of 1 to 128 characters"))
}

/// Clients put the token where a header would be, or under a name of its own.
fn token_of(payload: &Value) -> Option<&str> {
    let header = payload.get("Authorization").or_else(|| payload.get("authorization"));
    let header = header.and_then(Value::as_str).and_then(bearer);
    header.or_else(|| payload.get("token").and_then(Value::as_str))
}
