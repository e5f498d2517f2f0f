//! What the edge of a service costs, beside axum and tonic by themselves: one line of JSON per case.
//!
//! ```text
//! cargo run --release -p shop-users --example bench [-- ROUNDS [MILLISECONDS]]
//! ```
//!
//! One user is read over and over: `GET /api/v1/users/{id}`, and GetUser over gRPC. Ours is the
//! service as it always runs, on the store in memory. The twin is a handler on bare axum and a
//! service on bare tonic: the same token verified by the same [`Auth`](shop_edge::Auth), the same
//! row read from the same store, the same body answered, a line with the same fields written to the
//! same place; what they do is compared before anything is measured. Each serves from one thread, and
//! one more thread asks: over HTTP/1.1 with bytes that are made once, over gRPC with frames that are
//! made once. Rounds take turns; figures are medians, the ratio that of the rounds' own ratios. `cpu`
//! is the processor time of the serving thread alone: the ratio without whoever asks.
#![allow(clippy::print_stdout, reason = "a program that prints its result")]

mod asking;
mod sink;
mod twin;

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shop_edge::{Auth, Deps, Health, Process};
use shop_users::App;
use shop_users::edge::{grpc, rest};
use switchboard_core::{Clock, Context, Rng, SystemClock};
use switchboard_message::MemoryBroker;
use switchboard_store::MemoryStore;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use asking::{Ask, Grpc, Rest};
use sink::Sink;

/// As the program that services run in.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What may go wrong.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One side: a listener, and the one thread that serves it.
struct Side {
    runtime: Runtime,
    address: SocketAddr,
}

/// What one round came to.
struct Round {
    per_second: f64,
    p50: Duration,
    /// Processor time of the serving thread for one request.
    cpu: Duration,
}

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let rounds: usize = args.next().map_or(Ok(9), |rounds| rounds.parse())?;
    let millis: u64 = args.next().map_or(Ok(600), |millis| millis.parse())?;
    let sink = Sink::install()?;
    let asking = Builder::new_current_thread().enable_all().build()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let auth = Arc::new(Auth::ephemeral(clock.clone())?);
    let store = MemoryStore::new("users", shop_users::TABLES, clock.clone(), Rng::from_entropy());
    let deps = Deps {
        store: Arc::new(store),
        broker: Arc::new(MemoryBroker::new(clock.clone())),
        clock,
        rng: Rng::from_entropy(),
        auth: auth.clone(),
        process: Process::default(),
    };
    let app = App::new(&deps);
    let who = app.sign_up(
        Context::begin(&SystemClock, &mut Rng::from_entropy()),
        "Ada Lovelace".to_owned(),
        "ada@example.com".to_owned(),
        "correct horse battery".to_owned(),
    );
    let user = asking.block_on(who)?;
    let token = auth.sign(&user.id, Duration::from_secs(24 * 3_600))?;
    let end = CancellationToken::new();
    let twin_deps = deps.clone();
    let ours = Side::start("ours", |listener| ours(listener, app, deps, end.clone()))?;
    let get = Rest::new(&user.id, &token);
    let (answer, fields) = look(&asking, &sink, &get, &ours)?;
    let shown = twin::Shown::of(&answer, &fields)?;
    let rest = Side::start("axum", |listener| twin::rest(listener, twin_deps.clone(), shown))?;
    let grpc = Side::start("tonic", |listener| twin::grpc(listener, twin_deps))?;
    let call = Grpc::new(&user.id, &token, auth.service_key());
    let time = Duration::from_millis(millis);
    compare(&asking, &sink, "REST GET", &get, (&ours, &rest), (rounds, time))?;
    compare(&asking, &sink, "gRPC GetUser", &call, (&ours, &grpc), (rounds, time))?;
    end.cancel();
    Ok(())
}

/// The service as it always runs.
async fn ours(listener: TcpListener, app: App, deps: Deps, end: CancellationToken) -> Outcome<()> {
    let (services, routes) = (grpc::services(app.clone(), &deps), rest::routes(app, &deps));
    shop_edge::serve_with_rpc(listener, routes, services, Health::of(&deps), end).await
}

/// Asks a side once: what it answers, and the fields of the line that it writes.
fn look<A: Ask>(
    asking: &Runtime,
    sink: &Sink,
    ask: &A,
    side: &Side,
) -> Outcome<(Value, Vec<String>)> {
    sink.listen();
    let answer = asking.block_on(asking::once(ask, side.address))?;
    Ok((answer, sink.fields(|| side.settle())?))
}

/// Measures one protocol at 1 and 16 connections, after a look whether both sides do the same.
fn compare<A: Ask>(
    asking: &Runtime,
    sink: &Sink,
    case: &str,
    ask: &A,
    (ours, twin): (&Side, &Side),
    (rounds, time): (usize, Duration),
) -> Outcome<()> {
    let (answer, fields) = look(asking, sink, ask, ours)?;
    let (twins_answer, twins_fields) = look(asking, sink, ask, twin)?;
    if answer != twins_answer {
        return Err(format!("the twin answers {twins_answer} in the place of {answer}").into());
    }
    if fields != twins_fields {
        return Err(format!("the twin writes {twins_fields:?} in the place of {fields:?}").into());
    }
    for connections in [1, 16] {
        let (mut of_ours, mut of_twin) = (Vec::new(), Vec::new());
        // The first round warms up.
        for round in 0..=rounds {
            for is_ours in [round % 2 == 0, round % 2 != 0] {
                let (side, results) =
                    if is_ours { (ours, &mut of_ours) } else { (twin, &mut of_twin) };
                let before = side.cpu()?;
                let begun = Instant::now();
                let mut latencies =
                    asking.block_on(asking::many(ask, side.address, connections, time))?;
                let (elapsed, cpu) = (begun.elapsed(), side.cpu()?.saturating_sub(before));
                latencies.sort_unstable();
                let count = latencies.len();
                let round = Round {
                    per_second: count as f64 / elapsed.as_secs_f64(),
                    p50: latencies[count / 2],
                    cpu: cpu.div_f64(count as f64),
                };
                results.push(round);
            }
        }
        let (of_ours, of_twin) = (&of_ours[1..], &of_twin[1..]);
        println!("{}", figures(case, connections, of_ours, of_twin));
    }
    Ok(())
}

fn figures(case: &str, connections: usize, ours: &[Round], twin: &[Round]) -> Value {
    let of =
        |rounds: &[Round], figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let ratio = |figure: fn(&Round) -> f64| {
        median(ours.iter().zip(twin).map(|(ours, twin)| figure(ours) / figure(twin)).collect())
    };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let p50: fn(&Round) -> f64 = |round| round.p50.as_secs_f64() * 1e6;
    let cpu: fn(&Round) -> f64 = |round| round.cpu.as_secs_f64() * 1e6;
    let added = median(ours.iter().zip(twin).map(|(a, b)| micros(a.cpu) - micros(b.cpu)).collect());
    json!({
        "case": case,
        "connections": connections,
        "ours_per_s": of(ours, |round| round.per_second).round(),
        "raw_per_s": of(twin, |round| round.per_second).round(),
        "ratio": hundredths(ratio(|round| round.per_second)),
        "p50_us": hundredths(of(ours, p50)),
        "raw_p50_us": hundredths(of(twin, p50)),
        "cpu_us": hundredths(of(ours, cpu)),
        "raw_cpu_us": hundredths(of(twin, cpu)),
        "added_us": hundredths(added),
    })
}

fn hundredths(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

// === impl Side ===

impl Side {
    /// Serves from a thread of this name, by which profilers tell it from the others.
    fn start<F, Fut>(name: &str, serve: F) -> Outcome<Self>
    where
        F: FnOnce(TcpListener) -> Fut,
        Fut: Future<Output = Outcome<()>> + Send + 'static,
    {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        // It ends with the program; before that only by failing, which whoever asks will notice.
        runtime.spawn(serve(listener));
        Ok(Self { runtime, address })
    }

    /// Lets the serving thread finish what it does, the line about the last answer included.
    fn settle(&self) {
        let _it_has = self.runtime.block_on(self.runtime.spawn(async {}));
    }

    /// Processor time of the serving thread so far.
    fn cpu(&self) -> Outcome<Duration> {
        let reading =
            self.runtime.spawn(async { std::fs::read_to_string("/proc/thread-self/schedstat") });
        let stat = self.runtime.block_on(reading)??;
        let nanos = stat.split_whitespace().next().ok_or("no times in /proc")?;
        Ok(Duration::from_nanos(nanos.parse()?))
    }
}
