//! A network between store and server that can be told when to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The network is as it should be.
const WHOLE: u8 = 0;
/// The next answer to a commit is lost, with its connection.
const LOSES_ANSWER: u8 = 1;
/// The next commit does not reach the server, and its connection is lost.
const LOSES_COMMIT: u8 = 2;

/// As a client sends it: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    fault: AtomicU8,
    /// New connections are refused.
    is_down: AtomicU8,
    /// Whether it goes down with the next fault.
    then_down: AtomicU8,
    faults: AtomicUsize,
}

impl Proxy {
    /// A proxy before the server of this address.
    pub(crate) async fn before(url: &str) -> Self {
        let (credentials, rest) = url.split_once('@').unwrap();
        let (server, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        tokio::spawn(accept(listener, server.to_owned(), state.clone()));
        Self { url: format!("{credentials}@{at}/{database}"), state }
    }

    pub(crate) fn lose_answer(&self) {
        self.state.fault.store(LOSES_ANSWER, Ordering::SeqCst);
    }

    pub(crate) fn lose_commit(&self) {
        self.state.fault.store(LOSES_COMMIT, Ordering::SeqCst);
    }

    /// With the next fault the whole network is gone.
    pub(crate) fn and_stay_down(&self) {
        self.state.then_down.store(1, Ordering::SeqCst);
    }

    pub(crate) fn come_up(&self) {
        self.state.is_down.store(0, Ordering::SeqCst);
    }

    /// How many faults there were.
    pub(crate) fn faults(&self) -> usize {
        self.state.faults.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, server: String, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.is_down.load(Ordering::SeqCst) == 0 {
            let (server, state) = (server.clone(), state.clone());
            tokio::spawn(async move {
                if let Ok(server) = TcpStream::connect(server).await {
                    carry(client, server, &state).await;
                }
            });
        }
    }
}

/// Carries bytes until one side ends, or a fault happens; then both connections are gone.
async fn carry(mut client: TcpStream, mut server: TcpStream, state: &State) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(count @ 1..) = read else { return };
                let fault = match up[..count].ends_with(COMMIT) {
                    true => state.fault.swap(WHOLE, Ordering::SeqCst),
                    false => WHOLE,
                };
                if fault != WHOLE {
                    state.faults.fetch_add(1, Ordering::SeqCst);
                    let down_now = state.then_down.swap(0, Ordering::SeqCst);
                    state.is_down.store(down_now, Ordering::SeqCst);
                }
                if fault == LOSES_COMMIT {
                    return;
                }
                if server.write_all(&up[..count]).await.is_err() {
                    return;
                }
                if fault == LOSES_ANSWER {
                    let _ = server.read(&mut down).await;
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&down[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
