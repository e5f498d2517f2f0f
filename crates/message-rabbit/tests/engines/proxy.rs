//! A proxy between client and server that loses what it is told to lose.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::server;

/// Listens on a port of its own and passes everything on to the server.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<State>,
    cuts: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Nothing of the server reaches the client.
    holds_answers: AtomicBool,
    /// No delivery of the server reaches the client; everything else does.
    drops_deliveries: AtomicBool,
    /// The next confirm is passed on by half, and then the connection is cut.
    cuts_in_confirm: AtomicBool,
    /// New connections end at once.
    refuses: AtomicBool,
    connections: AtomicU64,
}

/// What the server's frames are to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Deliver,
    Content,
    Ack,
    Other,
}

// === impl Proxy ===

impl Proxy {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cuts, cut) = watch::channel(0);
        let state = Arc::<State>::default();
        tokio::spawn(serve(listener, Arc::clone(&state), cut));
        Self { port, state, cuts }
    }

    /// The server's address by way of the proxy.
    pub(crate) fn url(&self) -> String {
        let url = server::url();
        let (before, _) = url.split_once('@').unwrap();
        let (_, vhost) = url.rsplit_once('/').unwrap();
        format!("{before}@127.0.0.1:{}/{vhost}", self.port)
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|number| *number += 1);
    }

    pub(crate) fn hold_answers(&self, on: bool) {
        self.state.holds_answers.store(on, Ordering::SeqCst);
    }

    pub(crate) fn drop_deliveries(&self, on: bool) {
        self.state.drops_deliveries.store(on, Ordering::SeqCst);
    }

    pub(crate) fn cut_in_the_next_confirm(&self) {
        self.state.cuts_in_confirm.store(true, Ordering::SeqCst);
    }

    pub(crate) fn refuse(&self, on: bool) {
        self.state.refuses.store(on, Ordering::SeqCst);
    }

    /// Connections that were ever made.
    pub(crate) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }
}

async fn serve(listener: TcpListener, state: Arc<State>, cut: watch::Receiver<u64>) {
    let url = server::url();
    let (_, rest) = url.split_once('@').unwrap();
    let (target, _) = rest.split_once('/').unwrap();
    let target = target.to_owned();
    while let Ok((client, _)) = listener.accept().await {
        if state.refuses.load(Ordering::SeqCst) {
            continue;
        }
        state.connections.fetch_add(1, Ordering::SeqCst);
        let Ok(server) = TcpStream::connect(&target).await else { continue };
        let (state, mut cut) = (Arc::clone(&state), cut.clone());
        cut.mark_unchanged();
        tokio::spawn(async move {
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                _ = cut.changed() => {}
                () = pass(from_client, to_server) => {}
                () = answer(from_server, to_client, &state) => {}
            }
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
}

/// Passes the server's frames on, one by one.
async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    while let Some((kind, frame)) = read_frame(&mut from).await {
        let dropped = matches!(kind, Kind::Deliver | Kind::Content)
            && state.drops_deliveries.load(Ordering::SeqCst);
        if dropped || state.holds_answers.load(Ordering::SeqCst) {
            continue;
        }
        if kind == Kind::Ack && state.cuts_in_confirm.swap(false, Ordering::SeqCst) {
            let _ = to.write_all(&frame[..frame.len() / 2]).await;
            return;
        }
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

async fn read_frame(from: &mut OwnedReadHalf) -> Option<(Kind, Vec<u8>)> {
    let mut frame = vec![0; 7];
    from.read_exact(&mut frame).await.ok()?;
    let size = u32::from_be_bytes(frame[3..7].try_into().unwrap());
    frame.resize(7 + usize::try_from(size).unwrap() + 1, 0);
    from.read_exact(&mut frame[7..]).await.ok()?;
    let kind = match (frame[0], frame.get(7..11)) {
        (1, Some([0, 60, 0, 60])) => Kind::Deliver,
        (1, Some([0, 60, 0, 80])) => Kind::Ack,
        (2 | 3, _) => Kind::Content,
        _ => Kind::Other,
    };
    Some((kind, frame))
}
