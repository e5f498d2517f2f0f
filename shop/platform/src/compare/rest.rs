//! The work over REST: resources, one after another over HTTP/1.1, side by side over HTTP/2.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{try_join, try_join_all};
use http::header::{ACCEPT, AUTHORIZATION, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use switchboard_core::{BoxError, Clock, SystemClock};

use super::fill::{PAGE, Reader};
use super::seen::{Comment, Following, Order, Post, User};
use super::surplus::{self, Need};
use super::wire::{Counts, Wire};
use super::{Caller, Tally};

/// Between the answer of one poll and the next question.
pub(super) const POLL: Duration = Duration::from_millis(25);

const USER: Need = Need::Fields(&[("id", Need::All), ("name", Need::All), ("email", Need::All)]);
const POST: Need =
    Need::Fields(&[("id", Need::All), ("title", Need::All), ("created_at", Need::All)]);
const POSTS: Need = Need::Fields(&[("items", Need::Each(&POST)), ("next", Need::All)]);
const COMMENT: Need = Need::Fields(&[
    ("id", Need::All),
    ("content", Need::All),
    ("author", Need::Fields(&[("name", Need::All)])),
]);
const COMMENTS: Need = Need::Fields(&[("items", Need::Each(&COMMENT)), ("next", Need::All)]);
const CHANGE: Need = Need::Fields(&[("status", Need::All), ("at", Need::All)]);
const ORDER: Need = Need::Fields(&[("status", Need::All), ("history", Need::Each(&CHANGE))]);

/// A client over REST.
pub(super) struct Rest {
    wire: Wire,
    token: HeaderValue,
    reader: Rc<Reader>,
}

#[derive(Deserialize)]
struct Items<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// The token as a header.
pub(super) fn bearer(reader: &Reader) -> Result<HeaderValue, BoxError> {
    Ok(HeaderValue::from_str(&format!("Bearer {}", reader.customer.token()))?)
}

/// How many bytes of an order's representation are news to nobody. One that tells nothing new is
/// surplus as a whole.
pub(super) fn stale(body: &[u8], mut kept: Value, order: &str, known: usize) -> usize {
    let history = kept.pointer_mut(&format!("{order}/history")).and_then(Value::as_array_mut);
    let Some(history) = history.filter(|history| history.len() > known) else {
        return body.len();
    };
    history.drain(..known);
    surplus::beyond(body, &kept)
}

// === impl Rest ===

impl Rest {
    pub(super) async fn connect(
        url: &str,
        is_http2: bool,
        reader: Rc<Reader>,
    ) -> Result<Self, BoxError> {
        let token = bearer(&reader)?;
        Ok(Self { wire: Wire::connect(url, is_http2).await?, token, reader })
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        need: &Need,
        tally: &Tally,
    ) -> Result<T, BoxError> {
        let request = self.wire.request(Method::GET, path).header(AUTHORIZATION, &self.token);
        let request = request.header(ACCEPT, "application/json").body(Bytes::new())?;
        tally.trip();
        let answer = self.wire.ask(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(unexpected(path, answer.status(), answer.body()));
        }
        if tally.weighs {
            tally.add_surplus(surplus::of(answer.body(), need)?);
        }
        Ok(serde_json::from_slice(answer.body())?)
    }

    async fn comments(&self, post: &mut Post, tally: &Tally) -> Result<(), BoxError> {
        let path = format!("/api/v1/posts/{}/comments?limit={PAGE}", post.id);
        let page: Items<Comment> = self.get(&path, &COMMENTS, tally).await?;
        post.comments = page.items;
        Ok(())
    }
}

fn unexpected(path: &str, status: StatusCode, body: &[u8]) -> BoxError {
    format!("GET {path} answered {status}: {}", String::from_utf8_lossy(body)).into()
}

#[async_trait(?Send)]
impl Caller for Rest {
    fn counts(&self) -> &Counts {
        &self.wire.counts
    }

    async fn user(&self, tally: &Tally) -> Result<(), BoxError> {
        let path = format!("/api/v1/users/{}", self.reader.customer.id);
        self.reader.check_user(&self.get(&path, &USER, tally).await?)
    }

    async fn posts(&self, tally: &Tally) -> Result<(), BoxError> {
        let id = &self.reader.customer.id;
        let user = format!("/api/v1/users/{id}");
        let posts = format!("/api/v1/users/{id}/posts?limit={PAGE}");
        let user = self.get::<User>(&user, &USER, tally);
        let posts = self.get::<Items<Post>>(&posts, &POSTS, tally);
        let (user, mut posts) = try_join(user, posts).await?;
        // Whether they go side by side is the connection's affair.
        try_join_all(posts.items.iter_mut().map(|post| self.comments(post, tally))).await?;
        self.reader.check_user(&user)?;
        self.reader.check_posts(&posts.items)
    }

    async fn list(&self, tally: &Tally) -> Result<(), BoxError> {
        let first = format!("/api/v1/users/{}/posts?limit={PAGE}", self.reader.list.author);
        let (mut list, mut path) = (Vec::new(), first.clone());
        loop {
            let page: Items<Post> = self.get(&path, &POSTS, tally).await?;
            list.extend(page.items);
            match page.next {
                Some(cursor) => path = format!("{first}&cursor={cursor}"),
                None => return self.reader.check_list(&list),
            }
        }
    }

    /// Polls, with the entity tag of the last answer when the shop gives one.
    async fn follow(&self, order: &str, tally: &Tally) -> Result<(), BoxError> {
        let path = format!("/api/v1/orders/{order}");
        let (mut following, mut tag) = (Following::default(), None::<HeaderValue>);
        loop {
            let mut request =
                self.wire.request(Method::GET, &path).header(AUTHORIZATION, &self.token);
            if let Some(tag) = &tag {
                tally.conditional.set(tally.conditional.get() + 1);
                request = request.header(IF_NONE_MATCH, tag);
            }
            let request = request.header(ACCEPT, "application/json").body(Bytes::new())?;
            tally.trip();
            let answer = self.wire.ask(request).await?;
            let now = SystemClock.now();
            match answer.status() {
                StatusCode::OK => {
                    tag = answer.headers().get(ETAG).cloned();
                    let body = answer.body();
                    let seen: Order = serde_json::from_slice(body)?;
                    let kept = surplus::needed(&serde_json::from_slice(body)?, &ORDER);
                    tally.add_surplus(stale(body, kept, "", following.known()));
                    following.take(&seen, now, tally);
                    if Following::is_over(&seen)? {
                        return Ok(());
                    }
                }
                StatusCode::NOT_MODIFIED => tally.unchanged.set(tally.unchanged.get() + 1),
                status => return Err(unexpected(&path, status, answer.body())),
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        br#"{"id":"1","status":"b","history":[{"status":"a","at":1},{"status":"b","at":2}]}"#;

    fn check(known: usize, needed: &str) {
        let kept = surplus::needed(&serde_json::from_slice(BODY).unwrap(), &ORDER);
        assert_eq!(BODY.len() - stale(BODY, kept, "", known), needed.len(), "{known} known");
    }

    #[test]
    fn of_an_order_only_what_is_new_is_needed() {
        check(0, r#"{"status":"b","history":[{"status":"a","at":1},{"status":"b","at":2}]}"#);
        check(1, r#"{"status":"b","history":[{"status":"b","at":2}]}"#);
        check(2, "");
    }
}
