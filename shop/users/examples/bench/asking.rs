//! Whoever asks, at as little cost as possible: what is sent is made once, and only what must be looked at is.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::try_join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use serde_json::{Value, json};
use shop_contracts::rpc::users::{GetUserRequest, GetUserResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Outcome;

/// A question that can be asked again and again.
pub(super) trait Ask {
    /// One open connection.
    type Line;
    /// Opens one.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = Outcome<Self::Line>>;
    /// Asks once, and answers the body.
    fn ask(&self, line: &mut Self::Line) -> impl Future<Output = Outcome<Bytes>>;
    /// What a body says.
    fn read(&self, body: &[u8]) -> Outcome<Value>;
}

/// Asks once on a connection of its own.
pub(super) async fn once<A: Ask>(ask: &A, address: SocketAddr) -> Outcome<Value> {
    let mut line = ask.connect(address).await?;
    ask.read(&ask.ask(&mut line).await?)
}

/// Asks on so many connections for so long, on each one question after another.
pub(super) async fn many<A: Ask>(
    ask: &A,
    address: SocketAddr,
    connections: usize,
    time: Duration,
) -> Outcome<Vec<Duration>> {
    let lines = try_join_all((0..connections).map(|_| ask.connect(address))).await?;
    let begun = Instant::now();
    let asking = lines.into_iter().map(|mut line| async move {
        let mut latencies = Vec::new();
        while begun.elapsed() < time {
            let since = Instant::now();
            if ask.ask(&mut line).await?.is_empty() {
                return Err("an answer without a body".into());
            }
            latencies.push(since.elapsed());
        }
        Outcome::Ok(latencies)
    });
    Ok(try_join_all(asking).await?.concat())
}

/// `GET /api/v1/users/{id}`.
pub(super) struct Rest(String);

/// `shop.users.v1.UserService/GetUser`.
pub(super) struct Grpc {
    frame: Bytes,
    authorization: String,
    service_key: String,
}

// === impl Rest ===

impl Rest {
    pub(super) fn new(id: &str, token: &str) -> Self {
        Self(format!(
            "GET /api/v1/users/{id} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n\
             authorization: Bearer {token}\r\n\r\n"
        ))
    }
}

/// Where the body begins, and how long it is, once the head is whole.
fn head(bytes: &[u8]) -> Outcome<Option<(usize, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end])?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("answered {head}").into());
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse())
    });
    Ok(Some((end + 4, length.ok_or("an answer without a length")??)))
}

impl Ask for Rest {
    type Line = (TcpStream, BytesMut);

    async fn connect(&self, address: SocketAddr) -> Outcome<Self::Line> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok((stream, BytesMut::with_capacity(8 << 10)))
    }

    async fn ask(&self, (stream, read): &mut Self::Line) -> Outcome<Bytes> {
        stream.write_all(self.0.as_bytes()).await?;
        loop {
            if stream.read_buf(read).await? == 0 {
                return Err("the connection was closed".into());
            }
            if let Some((begin, length)) = head(read)?
                && read.len() >= begin + length
            {
                let body = Bytes::copy_from_slice(&read[begin..begin + length]);
                read.clear();
                return Ok(body);
            }
        }
    }

    fn read(&self, body: &[u8]) -> Outcome<Value> {
        Ok(serde_json::from_slice(body)?)
    }
}

// === impl Grpc ===

impl Grpc {
    pub(super) fn new(id: &str, token: &str, service_key: &str) -> Self {
        let message = GetUserRequest { id: id.to_owned() }.encode_to_vec();
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
        frame.extend_from_slice(&message);
        Self {
            frame: frame.freeze(),
            authorization: format!("Bearer {token}"),
            service_key: service_key.to_owned(),
        }
    }
}

impl Ask for Grpc {
    type Line = SendRequest<Full<Bytes>>;

    async fn connect(&self, address: SocketAddr) -> Outcome<Self::Line> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn ask(&self, line: &mut Self::Line) -> Outcome<Bytes> {
        let request = Request::post("http://127.0.0.1/shop.users.v1.UserService/GetUser")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", &self.authorization)
            .header("x-service-key", &self.service_key)
            .body(Full::new(self.frame.clone()))?;
        line.ready().await?;
        let answer = line.send_request(request).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?;
        let status = body.trailers().unwrap_or(&head.headers).get("grpc-status");
        if status.is_none_or(|status| status != "0") {
            return Err(format!("answered {head:?}").into());
        }
        Ok(body.to_bytes())
    }

    fn read(&self, body: &[u8]) -> Outcome<Value> {
        let message = body.get(5..).ok_or("an answer without a message")?;
        let user = GetUserResponse::decode(message)?.user.ok_or("an answer without a user")?;
        let times = [user.created_at, user.updated_at].map(|time| time.map(|time| time.nanos));
        Ok(json!({ "id": user.id, "name": user.name, "email": user.email, "times": times }))
    }
}
