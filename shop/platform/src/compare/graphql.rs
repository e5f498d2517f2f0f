//! The work over GraphQL: one question for what REST asks twenty times, and a subscription as server-sent events.

use std::rc::Rc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use switchboard_core::{BoxError, Clock, SystemClock};

use super::fill::{PAGE, Reader};
use super::rest::{bearer, stale};
use super::seen::{Following, Order, Post, User};
use super::sse::Events;
use super::surplus::{self, Need};
use super::wire::{Counts, Wire};
use super::{Caller, Tally};

const USER: &str = "query ($userId: ID!) { user(id: $userId) { id name email } }";
const POSTS: &str = "query GetUserWithPosts($userId: ID!) { user(id: $userId) { id name email \
    posts { id title createdAt comments { id content author { name } } } } }";
const LIST: &str = "query ($userId: ID!, $first: Int!, $after: String) { user(id: $userId) { \
    postsConnection(first: $first, after: $after) { nodes { id title createdAt } \
    pageInfo { hasNextPage endCursor } } } }";
const FOLLOW: &str =
    "subscription ($id: ID!) { orderStatus(id: $id) { status history { status at } } }";

/// What the questions above name is needed, all of it.
const DATA: Need = Need::Fields(&[("data", Need::All)]);

/// A client over GraphQL.
pub(super) struct Graphql {
    wire: Wire,
    token: HeaderValue,
    reader: Rc<Reader>,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<Value>,
}

#[derive(Deserialize)]
struct Found<T> {
    user: Option<T>,
}

#[derive(Deserialize)]
struct WithPosts {
    #[serde(flatten)]
    user: User,
    posts: Vec<Post>,
}

#[derive(Deserialize)]
struct WithPage {
    #[serde(rename = "postsConnection")]
    page: Connection,
}

#[derive(Deserialize)]
struct Connection {
    nodes: Vec<Post>,
    #[serde(rename = "pageInfo")]
    info: PageInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    order_status: Order,
}

// === impl Graphql ===

impl Graphql {
    pub(super) async fn connect(
        url: &str,
        is_http2: bool,
        reader: Rc<Reader>,
    ) -> Result<Self, BoxError> {
        let token = bearer(&reader)?;
        Ok(Self { wire: Wire::connect(url, is_http2).await?, token, reader })
    }

    fn request(
        &self,
        accept: &str,
        query: &str,
        variables: &Value,
    ) -> Result<Request<Bytes>, BoxError> {
        let body = serde_json::to_vec(&json!({ "query": query, "variables": variables }))?;
        let request = self.wire.request(Method::POST, "/graphql");
        let request = request.header(AUTHORIZATION, &self.token).header(ACCEPT, accept);
        Ok(request.header(CONTENT_TYPE, "application/json").body(body.into())?)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        query: &str,
        variables: &Value,
        tally: &Tally,
    ) -> Result<T, BoxError> {
        tally.trip();
        let request = self.request("application/graphql-response+json", query, variables)?;
        let answer = self.wire.ask(request).await?;
        let (status, body) = (answer.status(), answer.body());
        if status != StatusCode::OK {
            return Err(unexpected(status, body));
        }
        if tally.weighs {
            tally.add_surplus(surplus::of(body, &DATA)?);
        }
        data_of(body)
    }

    fn about_me(&self) -> Value {
        json!({ "userId": self.reader.customer.id })
    }
}

fn unexpected(status: StatusCode, body: &[u8]) -> BoxError {
    format!("POST /graphql answered {status}: {}", String::from_utf8_lossy(body)).into()
}

/// The data of a result that has no errors.
fn data_of<T: DeserializeOwned>(body: &[u8]) -> Result<T, BoxError> {
    let answer: Answer<T> = serde_json::from_slice(body)?;
    match (answer.data, answer.errors.as_slice()) {
        (Some(data), []) => Ok(data),
        (_, errors) => Err(format!("GraphQL answered errors: {}", json!(errors)).into()),
    }
}

fn there<T>(found: Found<T>) -> Result<T, BoxError> {
    found.user.ok_or_else(|| "GraphQL knows no such user".into())
}

#[async_trait(?Send)]
impl Caller for Graphql {
    fn counts(&self) -> &Counts {
        &self.wire.counts
    }

    async fn user(&self, tally: &Tally) -> Result<(), BoxError> {
        let found: Found<User> = self.ask(USER, &self.about_me(), tally).await?;
        self.reader.check_user(&there(found)?)
    }

    async fn posts(&self, tally: &Tally) -> Result<(), BoxError> {
        let found: Found<WithPosts> = self.ask(POSTS, &self.about_me(), tally).await?;
        let WithPosts { user, posts } = there(found)?;
        self.reader.check_user(&user)?;
        self.reader.check_posts(&posts)
    }

    async fn list(&self, tally: &Tally) -> Result<(), BoxError> {
        let (mut list, mut after) = (Vec::new(), None::<String>);
        loop {
            let user = &self.reader.list.author;
            let variables = json!({ "userId": user, "first": PAGE, "after": after });
            let page = there(self.ask::<Found<WithPage>>(LIST, &variables, tally).await?)?.page;
            list.extend(page.nodes);
            if !page.info.has_next_page {
                return self.reader.check_list(&list);
            }
            after = page.info.end_cursor;
        }
    }

    async fn follow(&self, order: &str, tally: &Tally) -> Result<(), BoxError> {
        tally.trip();
        let request = self.request("text/event-stream", FOLLOW, &json!({ "id": order }))?;
        let answer = self.wire.open(request).await?;
        let (status, mut body) = (answer.status(), answer.into_body());
        if status != StatusCode::OK {
            return Err(unexpected(status, &body.collect().await?.to_bytes()));
        }
        let (mut following, mut events, mut is_over) =
            (Following::default(), Events::default(), false);
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame?.into_data() else { continue };
            let now = SystemClock.now();
            for event in events.feed(&piece).iter().filter(|event| event.name == "next") {
                let body = event.data.as_bytes();
                let Status { order_status: seen } = data_of(body)?;
                let kept = surplus::needed(&serde_json::from_slice(body)?, &DATA);
                tally.add_surplus(stale(body, kept, "/data/orderStatus", following.known()));
                following.take(&seen, now, tally);
                is_over = Following::is_over(&seen)?;
            }
        }
        if is_over { Ok(()) } else { Err("a subscription ended before its order".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_errors_is_no_answer() {
        let good = br#"{"data":{"user":{"id":"1","name":"Ada","email":"a@example.com"}}}"#;
        assert_eq!(there(data_of::<Found<User>>(good).unwrap()).unwrap().name, "Ada");
        let partial = br#"{"data":{"user":null},"errors":[{"message":"away"}]}"#;
        assert!(data_of::<Found<User>>(partial).is_err());
        let absent = br#"{"data":{"user":null}}"#;
        assert!(there(data_of::<Found<User>>(absent).unwrap()).is_err());
    }

    #[test]
    fn a_page_is_read_by_the_names_that_the_query_gives_it() {
        let body = br#"{"data":{"user":{"postsConnection":{"nodes":[{"id":"1","title":"t",
            "createdAt":"2026-01-01T00:00:00Z"}],"pageInfo":{"hasNextPage":true,"endCursor":"c"}}}}}"#;
        let page = there(data_of::<Found<WithPage>>(body).unwrap()).unwrap().page;
        assert!(page.info.has_next_page && page.nodes.len() == 1);
        assert_eq!(page.info.end_cursor.as_deref(), Some("c"));
    }
}
