//! Services that answer gRPC from memory, and remember every call: what was asked, and with which headers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use parking_lot::Mutex;
use prost::Message;
use shop_edge::Problem;
use shop_gateway::graphql::{Services, channel};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

type Messages = BoxStream<'static, Result<Bytes, Status>>;
type Handler = Arc<dyn Fn(&[u8]) -> Messages + Send + Sync>;

/// All services at once. Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Inner>);

#[derive(Default)]
struct Inner {
    handlers: Mutex<BTreeMap<&'static str, Handler>>,
    seen: Mutex<Vec<(String, HeaderMap)>>,
}

impl Fake {
    pub(crate) fn services(&self) -> Services {
        let way = || channel(self.clone());
        Services {
            users: way(),
            content: way(),
            orders: way(),
            payments: way(),
            inventory: way(),
            shipping: way(),
        }
    }

    /// Answers one method: `users.UserService/BatchGetUsers`.
    pub(crate) fn on<Q, A>(
        &self,
        method: &'static str,
        answer: impl Fn(Q) -> Result<A, Status> + Send + Sync + 'static,
    ) where
        Q: Message + Default,
        A: Message,
    {
        self.on_stream(method, move |question| {
            let message = answer(question).map(|message| Bytes::from(message.encode_to_vec()));
            stream::iter([message]).boxed()
        });
    }

    /// Answers one method with whatever comes.
    pub(crate) fn on_stream<Q: Message + Default>(
        &self,
        method: &'static str,
        answer: impl Fn(Q) -> Messages + Send + Sync + 'static,
    ) {
        let handler = move |bytes: &[u8]| answer(Q::decode(bytes).unwrap());
        self.0.handlers.lock().insert(method, Arc::new(handler));
    }

    /// Every method of these services fails with this.
    pub(crate) fn fail(&self, service: &str, problem: &Problem) {
        for (method, handler) in self.0.handlers.lock().iter_mut() {
            if method.starts_with(service) {
                let problem = problem.clone();
                let fail = move |_: &[u8]| stream::iter([Err(problem.clone().into())]).boxed();
                *handler = Arc::new(fail);
            }
        }
    }

    /// The methods that were called since the last look, with how often.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for (method, _) in self.0.seen.lock().drain(..) {
            *counted.entry(method).or_default() += 1;
        }
        counted
    }

    /// The headers of the last call.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.0.seen.lock().last().unwrap().1.clone()
    }
}

impl Service<Request<Body>> for Fake {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fake = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            // `/shop.users.v1.UserService/GetUser`
            let method = head.uri.path().trim_start_matches("/shop.").replace(".v1.", ".");
            let body = body.collect().await.unwrap().to_bytes();
            fake.0.seen.lock().push((method.clone(), head.headers));
            let handler = fake.0.handlers.lock().get(&*method).cloned();
            let handler = handler.unwrap_or_else(|| panic!("nobody answers {method}"));
            Ok(answer(handler(&body[5..])).await)
        })
    }
}

/// Messages in frames, and what became of the call in trailers.
async fn answer(mut messages: Messages) -> Response<Body> {
    let first = match messages.next().await {
        Some(Err(status)) => return status.into_http(),
        Some(Ok(message)) => stream::iter([Ok(message)]).left_stream(),
        None => stream::empty().right_stream(),
    };
    let frames = first.chain(messages).map(|message| match message {
        Ok(message) => {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            Ok::<_, Status>(Frame::data(Bytes::from([&[0][..], &length, &message].concat())))
        }
        Err(status) => Ok(trailers(&status)),
    });
    let end = stream::iter([Ok(trailers(&Status::new(Code::Ok, "")))]);
    let body = Body::new(StreamBody::new(frames.chain(end)));
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(body).unwrap()
}

fn trailers(status: &Status) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    Frame::trailers(trailers)
}
