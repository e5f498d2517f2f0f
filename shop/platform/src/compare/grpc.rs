//! The work over gRPC: the generated clients on one HTTP/2 connection, batches where there are batches, and a stream of the server.

mod needed;

use std::rc::Rc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, FutureExt, try_join};
use http::{Request as HttpRequest, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use prost::Message;
use shop_contracts::rpc::content::content_service_client::ContentServiceClient;
use shop_contracts::rpc::orders::order_service_client::OrderServiceClient;
use shop_contracts::rpc::users::user_service_client::UserServiceClient;
use shop_contracts::rpc::{content, from_timestamp, orders, users};
use switchboard_core::{BoxError, Clock, SystemClock, Timestamp};
use tonic::body::Body;
use tonic::metadata::AsciiMetadataValue;
use tonic::{Request, Status};
use tower::Service;

use super::fill::{PAGE, Reader};
use super::seen::{Author, Change, Comment, Following, Order, Post, User};
use super::wire::{self, Counts};
use super::{Caller, Counted, Tally};

/// A client over gRPC.
pub(super) struct Grpc {
    users: UserServiceClient<Lane>,
    content: ContentServiceClient<Lane>,
    orders: OrderServiceClient<Lane>,
    counts: Counted,
    token: AsciiMetadataValue,
    reader: Rc<Reader>,
}

/// The connection, as generated clients want it.
#[derive(Clone)]
struct Lane(SendRequest<Body>);

// === impl Grpc ===

impl Grpc {
    pub(super) async fn connect(url: &str, reader: Rc<Reader>) -> Result<Self, BoxError> {
        let authority = wire::authority(url)?;
        let (sender, counts) = wire::http2(&authority).await?;
        let origin: Uri = format!("http://{authority}").parse()?;
        let lane = Lane(sender);
        Ok(Self {
            users: UserServiceClient::with_origin(lane.clone(), origin.clone()),
            content: ContentServiceClient::with_origin(lane.clone(), origin.clone()),
            orders: OrderServiceClient::with_origin(lane, origin),
            counts,
            token: format!("Bearer {}", reader.customer.token()).parse()?,
            reader,
        })
    }

    fn request<T>(&self, message: T, tally: &Tally) -> Request<T> {
        tally.trip();
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }

    async fn the_user(&self, tally: &Tally) -> Result<User, BoxError> {
        let request = users::GetUserRequest { id: self.reader.customer.id.clone() };
        let answer = self.users.clone().get_user(self.request(request, tally)).await;
        let answer = answer.map_err(failed)?.into_inner();
        if tally.weighs {
            let needed = needed::of_user(&answer);
            tally.add_surplus(surplus(&answer, &needed));
        }
        let users::User { id, name, email, .. } = answer.user.ok_or("an answer without user")?;
        Ok(User { id, name, email })
    }

    /// One page of somebody's posts, and where the next one begins.
    async fn page_of(
        &self,
        author: &str,
        token: String,
        tally: &Tally,
    ) -> Result<(Vec<Post>, String), BoxError> {
        let request = content::ListPostsRequest {
            author_id: author.to_owned(),
            page_size: i32::try_from(PAGE)?,
            page_token: token,
        };
        let answer = self.content.clone().list_posts(self.request(request, tally)).await;
        let answer = answer.map_err(failed)?.into_inner();
        if tally.weighs {
            let needed = needed::of_posts(&answer);
            tally.add_surplus(surplus(&answer, &needed));
        }
        let posts = answer.posts.into_iter().map(|post| Post {
            created_at: moment(post.created_at.as_ref()),
            id: post.id,
            title: post.title,
            comments: Vec::new(),
        });
        Ok((posts.collect(), answer.next_page_token))
    }

    /// The comments on all of these posts, at once.
    async fn comments(&self, posts: &mut [Post], tally: &Tally) -> Result<(), BoxError> {
        let request = content::BatchListCommentsRequest {
            post_ids: posts.iter().map(|post| post.id.clone()).collect(),
            limit: i32::try_from(PAGE)?,
        };
        let answer = self.content.clone().batch_list_comments(self.request(request, tally)).await;
        let answer = answer.map_err(failed)?.into_inner();
        if tally.weighs {
            let needed = needed::of_comments(&answer);
            tally.add_surplus(surplus(&answer, &needed));
        }
        for (post, of) in posts.iter_mut().zip(answer.posts) {
            if of.post_id != post.id {
                return Err(
                    format!("comments of {} in the place of {}", of.post_id, post.id).into()
                );
            }
            post.comments = of.comments.into_iter().map(comment).collect();
        }
        Ok(())
    }
}

/// Bytes of a message that are not needed.
fn surplus(message: &impl Message, needed: &impl Message) -> usize {
    message.encoded_len().saturating_sub(needed.encoded_len())
}

fn failed(status: Status) -> BoxError {
    format!("gRPC answered {:?}: {}", status.code(), status.message()).into()
}

fn moment(wire: Option<&prost_types::Timestamp>) -> Timestamp {
    wire.and_then(from_timestamp).unwrap_or_default()
}

fn comment(it: content::Comment) -> Comment {
    let name = it.author.and_then(|author| author.name);
    Comment { id: it.id, content: it.content, author: Author { name } }
}

/// The state without the name of its type: `COMPLETED`.
fn status_of(order: &orders::Order) -> String {
    order.status().as_str_name().trim_start_matches("ORDER_STATUS_").to_owned()
}

#[async_trait(?Send)]
impl Caller for Grpc {
    fn counts(&self) -> &Counts {
        &self.counts
    }

    async fn user(&self, tally: &Tally) -> Result<(), BoxError> {
        self.reader.check_user(&self.the_user(tally).await?)
    }

    async fn posts(&self, tally: &Tally) -> Result<(), BoxError> {
        let id = &self.reader.customer.id;
        let posts = self.page_of(id, String::new(), tally);
        let (user, (mut posts, _)) = try_join(self.the_user(tally), posts).await?;
        self.comments(&mut posts, tally).await?;
        self.reader.check_user(&user)?;
        self.reader.check_posts(&posts)
    }

    async fn list(&self, tally: &Tally) -> Result<(), BoxError> {
        let (mut list, mut token) = (Vec::new(), String::new());
        loop {
            let (posts, next) = self.page_of(&self.reader.list.author, token, tally).await?;
            list.extend(posts);
            if next.is_empty() {
                return self.reader.check_list(&list);
            }
            token = next;
        }
    }

    async fn follow(&self, order: &str, tally: &Tally) -> Result<(), BoxError> {
        let request = orders::WatchOrderRequest { id: order.to_owned() };
        let answer = self.orders.clone().watch_order(self.request(request, tally)).await;
        let mut states = answer.map_err(failed)?.into_inner();
        let (mut following, mut is_over) = (Following::default(), false);
        while let Some(state) = states.message().await.map_err(failed)? {
            let now = SystemClock.now();
            let size = state.encoded_len();
            let order = state.order.ok_or("a state without an order")?;
            let needed = needed::of_order(&order, following.known());
            tally.add_surplus(size - needed.encoded_len());
            let change = |change: &orders::StatusChange| Change { at: moment(change.at.as_ref()) };
            let seen = Order {
                status: status_of(&order),
                history: order.history.iter().map(change).collect(),
            };
            following.take(&seen, now, tally);
            is_over = Following::is_over(&seen)?;
        }
        if is_over { Ok(()) } else { Err("a stream ended before its order".into()) }
    }
}

// === impl Lane ===

impl Service<HttpRequest<Body>> for Lane {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Response<Incoming>, hyper::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        self.0.send_request(request).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_named_without_its_type() {
        let status = orders::OrderStatus::InventoryReserved.into();
        let order = orders::Order { status, ..orders::Order::default() };
        assert_eq!(status_of(&order), "INVENTORY_RESERVED");
    }
}
