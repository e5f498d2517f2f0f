//! `switchboard demo`: customers order, some orders are made to fail, everybody can watch, and in the end the sums must agree.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use parking_lot::Mutex;
use serde_json::json;
use switchboard_core::{BoxError, Rng};

use super::remote::url;
use super::runtime;
use super::show::{self, minor};
use crate::cli::Demo;
use crate::load::client::Call;
use crate::load::sums::{ORDER_PATIENCE, products};
use crate::load::{Client, Customer, Ended, Fate, Ledger, Mix, Sums, Wish};
use crate::settings::Settings;

/// What each customer pays in first.
const DEPOSIT: i64 = 500_000;
/// Between two drawings of the live table.
const REDRAW: Duration = Duration::from_millis(100);
/// Lines of the live table that show orders.
const SHOWN: usize = 12;

/// Names that people can tell apart in a table.
const NAMES: [&str; 12] = [
    "Ada",
    "Blaise",
    "Chien",
    "Dorothy",
    "Emmy",
    "Fei",
    "Grace",
    "Hedy",
    "Ida",
    "Joan",
    "Katherine",
    "Lise",
];

/// Runs the demo. It fails when a sum is off.
///
/// # Errors
/// When the shop cannot be reached, or answers what it must not.
pub fn run(settings: &Settings, demo: &Demo) -> Result<ExitCode, BoxError> {
    let url = url(settings);
    let client = Client::new(&url);
    let sums = runtime()?.block_on(async {
        let call = Call::default();
        let ready = client.call(http::Method::GET, "/readyz", &call);
        if tokio::time::timeout(Duration::from_secs(10), ready).await?.is_err() {
            return Err(BoxError::from(format!(
                "no shop answers at {url}: start one with `switchboard up`, or name it with --url"
            )));
        }
        play(&client, demo).await
    })?;
    if demo.json {
        show::json(&json!({
            "deposits": sums.deposits,
            "completed": sums.completed_total,
            "balances": sums.balances,
            "by_status": sums.by_status,
            "faults": sums.faults,
        }));
    } else {
        print_sums(&sums);
    }
    Ok(if sums.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What everybody has done so far.
struct Stage {
    begun: Instant,
    ledger: Ledger,
    lines: Vec<Line>,
    wanted: usize,
    is_live: bool,
    is_quiet: bool,
}

/// One order, as the table shows it.
struct Line {
    customer: String,
    wish: Wish,
    status: String,
    reason: String,
    total: i64,
    took: Option<Duration>,
}

async fn play(client: &Client, demo: &Demo) -> Result<Sums, BoxError> {
    let mut rng = demo.seed.map_or_else(Rng::from_entropy, Rng::from_seed);
    // The same seed wishes the same, yet its customers are new ones every time.
    let run = Rng::from_entropy().u64() >> 40;
    let goods = products(client).await?;
    let stage = Arc::new(Mutex::new(Stage {
        begun: Instant::now(),
        ledger: Ledger::open(client).await?,
        lines: Vec::new(),
        wanted: demo.orders as usize,
        is_live: std::io::stdout().is_terminal() && !demo.json,
        is_quiet: demo.json,
    }));
    let shoppers = (0..demo.customers).map(|number| {
        let share = demo.orders / demo.customers + u32::from(number < demo.orders % demo.customers);
        let mix = Mix::new(goods.clone(), demo.failing, rng.fork());
        let tag = format!("{run:06x}-{number}");
        shop(client.clone(), number as usize, tag, share, mix, stage.clone())
    });
    let everybody = try_join_all(shoppers);
    tokio::pin!(everybody);
    let mut height = 0;
    loop {
        tokio::select! {
            done = &mut everybody => {
                done?;
                break;
            }
            () = tokio::time::sleep(REDRAW), if stage.lock().is_live => {
                height = redraw(&stage.lock(), height);
            }
        }
    }
    let ledger = {
        let mut stage = stage.lock();
        if stage.is_live {
            redraw(&stage, height);
        }
        std::mem::take(&mut stage.ledger)
    };
    Ok(ledger.audit(client).await?)
}

async fn shop(
    client: Client,
    number: usize,
    tag: String,
    orders: u32,
    mut mix: Mix,
    stage: Arc<Mutex<Stage>>,
) -> Result<(), BoxError> {
    let name = match number / NAMES.len() {
        0 => NAMES[number].to_owned(),
        round => format!("{} {}", NAMES[number % NAMES.len()], round + 1),
    };
    let customer = Customer::join(&client, &name, &format!("{tag}@example.com")).await?;
    customer.deposit(DEPOSIT, &format!("{tag}-deposit")).await?;
    {
        let mut stage = stage.lock();
        stage.ledger.customers.push(customer.clone());
        stage.ledger.deposits += DEPOSIT;
    }
    for order in 0..orders {
        let Some(wish) = mix.wish() else { return Err("the shop sells nothing".into()) };
        let since = Instant::now();
        let line = stage.lock().ordered(&name, &wish);
        let id = customer.order(&wish, &format!("{tag}-order-{order}")).await?;
        let ended = customer.wait(&id, ORDER_PATIENCE).await?;
        let mut stage = stage.lock();
        match ended {
            Some(ended) => {
                stage.ended(line, &ended, since.elapsed());
                stage.ledger.orders.push((customer.clone(), wish, ended));
            }
            None => stage.ledger.unfinished.push(id),
        }
    }
    Ok(())
}

// === impl Stage ===

impl Stage {
    fn ordered(&mut self, customer: &str, wish: &Wish) -> usize {
        self.lines.push(Line {
            customer: customer.to_owned(),
            wish: wish.clone(),
            status: "ordered".to_owned(),
            reason: String::new(),
            total: 0,
            took: None,
        });
        self.lines.len() - 1
    }

    fn ended(&mut self, index: usize, ended: &Ended, took: Duration) {
        let (is_live, is_quiet) = (self.is_live, self.is_quiet);
        let number = self.lines.iter().filter(|line| line.took.is_some()).count() + 1;
        let Some(line) = self.lines.get_mut(index) else { return };
        line.status.clone_from(&ended.status);
        line.reason = ended.reason.clone().unwrap_or_default();
        line.total = ended.total;
        line.took = Some(took);
        if !is_live && !is_quiet {
            show::line(&format!("{number:>5}  {}", line.plain()));
        }
    }
}

// === impl Line ===

impl Line {
    fn wish(&self) -> String {
        format!("{} × {}", self.wish.quantity, self.wish.sku)
    }

    fn meant(&self) -> &'static str {
        match self.wish.fate {
            Fate::Well => "",
            Fate::OutOfStock => "too many",
            Fate::NotServed => "to Antarctica",
            Fate::UnknownProduct => "not sold here",
            Fate::TooExpensive => "too dear",
        }
    }

    fn took(&self) -> String {
        self.took.map(|took| format!("{} ms", took.as_millis())).unwrap_or_default()
    }

    fn plain(&self) -> String {
        let reason =
            if self.reason.is_empty() { String::new() } else { format!("  ({})", self.reason) };
        format!(
            "{:<12} {:<28} {:>12}  {:<18} {:>8}{reason}",
            self.customer,
            self.wish(),
            minor(self.total),
            self.status,
            self.took(),
        )
    }
}

/// Draws the table over its last drawing, and answers how many lines it has.
fn redraw(stage: &Stage, last: usize) -> usize {
    let text = drawing(stage);
    let mut stdout = std::io::stdout().lock();
    // Up to the first line of the last drawing, and clear from there.
    let up = if last > 0 { format!("\x1b[{last}A\x1b[J") } else { String::new() };
    let _reader_has_left = writeln!(stdout, "{up}{text}").and_then(|()| stdout.flush());
    text.lines().count()
}

fn drawing(stage: &Stage) -> String {
    let done = stage.lines.iter().filter(|line| line.took.is_some()).count();
    let seconds = stage.begun.elapsed().as_secs_f64();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &stage.lines {
        *counts.entry(&line.status).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let skipped = stage.lines.len().saturating_sub(SHOWN);
    let rows = stage.lines[skipped..].iter().map(|line| {
        [
            line.customer.clone(),
            line.wish(),
            line.meant().to_owned(),
            minor(line.total),
            line.status.clone(),
            line.reason.clone(),
            line.took(),
        ]
    });
    let names = ["customer", "wants", "meant to fail", "total", "order", "why", "took"];
    format!(
        "{}\n\n{done} of {} orders in {seconds:.1} s: {}",
        show::table(names, rows),
        stage.wanted,
        counts.join(", "),
    )
}

fn print_sums(sums: &Sums) {
    show::line("");
    for (status, count) in &sums.by_status {
        show::line(&format!("{count:>14}  {status}"));
    }
    show::line("");
    show::line(&format!("{:>14}  paid in", minor(sums.deposits)));
    show::line(&format!("{:>14}  spent on completed orders", minor(-sums.completed_total)));
    show::line(&format!("{:>14}  on the accounts", minor(sums.balances)));
    show::line("");
    if sums.faults.is_empty() {
        show::line("All sums agree: money, stock, and one shipment for each completed order.");
    }
    for fault in &sums.faults {
        show::line(&format!("WRONG: {fault}"));
    }
}
