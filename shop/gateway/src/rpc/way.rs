//! A line with what stands before it at the door: a read that its service could not answer is asked again, as far as a budget pays.
//!
//! Only UNAVAILABLE is repeated, and only of methods that change nothing; never what a breaker holds back. What REST repeats and what gRPC
//! repeats is paid from the same budget.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::HeaderMap;
use http::{Method, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use shop_edge::Problem;
use shop_edge::rpc::{Line, MESSAGE_LIMIT};
use switchboard_resilience::Outcome;
use switchboard_resilience::propagate::{decode_lenient, encode};
use switchboard_resilience::retry::Again;
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::guards::Retries;

/// Bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// How the names of methods begin that change nothing and answer once.
const READS: [&str; 4] = ["Get", "List", "BatchGet", "BatchList"];

/// The way to a service. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Way {
    pub(super) line: Line,
    retries: Option<Retries>,
}

// === impl Way ===

impl Way {
    /// On which nothing is asked twice.
    pub fn once(line: Line) -> Self {
        Self { line, retries: None }
    }

    pub(super) fn new(line: Line, retries: Option<Retries>) -> Self {
        Self { line, retries }
    }

    /// Sends a gRPC request as [`Line::send`] does; a read again, if there is time, while its
    /// service is UNAVAILABLE.
    ///
    /// # Errors
    /// Those of the last attempt.
    pub async fn send(&self, request: Request<Body>) -> Result<Response, Status> {
        let Some(retries) = self.retries.as_ref().filter(|_| is_read(request.uri().path())) else {
            return self.line.send(request).await;
        };
        let (mut head, body) = request.into_parts();
        let body = whole(body).await?;
        let mut call = decode_lenient(&Method::POST, &head.headers, Instant::now()).0;
        call.is_repeatable = true;
        let mut trying = retries.begin(&mut call);
        loop {
            let request = Request::from_parts(head.clone(), Body::from(body.clone()));
            let (answer, outcome) = self.line.attempt(request).await;
            let is_failure = matches!(outcome, Some(Outcome::Failure { .. }));
            if !is_failure || code(&answer) != Code::Unavailable {
                return answer;
            }
            // An answer that is a status alone has said nothing about when.
            let said = answer.as_ref().map_or(Again::TRANSIENT, |answer| retries.again(answer));
            match retries.wait(&call, &mut trying, said) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return answer,
            }
            call.attempt += 1;
            // What is left of its time, and which attempt this is.
            if encode(&call, Instant::now(), std::time::Duration::ZERO, &mut head.headers).is_err()
            {
                return answer;
            }
        }
    }
}

fn is_read(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap_or_default();
    READS.iter().any(|name| method.starts_with(name))
}

/// The one message of a read, in memory.
async fn whole(body: Body) -> Result<Bytes, Status> {
    match Limited::new(body, MESSAGE_LIMIT + PREFIX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::too_large(MESSAGE_LIMIT).with_code(Code::OutOfRange).into())
        }
        Err(_) => Err(Problem::bad_request("The call broke off before its end.").into()),
    }
}

/// The status of an answer that has no body; OK while one is still to come.
fn code(answer: &Result<Response, Status>) -> Code {
    let of = |headers: &HeaderMap| Status::from_header_map(headers).map(|status| status.code());
    match answer {
        Ok(response) => of(response.headers()).unwrap_or(Code::Ok),
        Err(status) => status.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r6_reads_are_told_from_writes_and_streams_by_their_names() {
        for (path, expected) in [
            ("/shop.orders.v1.OrderService/GetOrder", true),
            ("/shop.orders.v1.OrderService/BatchGetOrders", true),
            ("/shop.content.v1.ContentService/BatchListPosts", true),
            ("/shop.orders.v1.OrderService/ListOrders", true),
            ("/shop.orders.v1.OrderService/WatchOrder", false),
            ("/shop.orders.v1.OrderService/PlaceOrder", false),
            ("/shop.users.v1.UserService/SignIn", false),
        ] {
            assert_eq!(is_read(path), expected, "{path}");
        }
    }
}
