//! The comparison of protocols, run as a whole for a moment. Its figures are never judged: only that every cell is there and that no
//! answer was wrong, which would have been an error.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use shop_platform::compare::{Options, Protocol, Sizes, Work, run, text, value};

use crate::{Shop, eventually};

/// Two pages of the list, the second one short.
const SIZES: Sizes = Sizes { posts: 3, comments: 2, list: 105 };

async fn check(http2: bool) {
    let shop = Shop::start().await;
    let mut options = Options::new(&shop.url);
    options.time = Duration::from_millis(50);
    options.clients = 2;
    options.http2 = http2;
    options.sizes = SIZES;
    let report = run(&options).await.unwrap();
    let seen: Vec<_> = report.cells.iter().map(|cell| (cell.work, cell.protocol)).collect();
    let all = Work::ALL.into_iter();
    let all: Vec<_> = all.flat_map(|work| Protocol::ALL.map(|protocol| (work, protocol))).collect();
    assert_eq!(seen, all);
    for cell in &report.cells {
        let trips = match (cell.work, cell.protocol) {
            // User, posts, and the comments of each post; or of all posts at once.
            (Work::Posts, Protocol::Rest) => Some(2.0 + 3.0),
            (Work::Posts, Protocol::Grpc) => Some(3.0),
            (Work::List, _) => Some(2.0),
            (Work::Stream, Protocol::Rest) => None,
            _ => Some(1.0),
        };
        assert!(trips.is_none_or(|trips| cell.round_trips == trips), "{cell:?}");
        assert!(cell.round_trips >= 1.0, "{cell:?}");
        assert!(cell.per_second > 0.0 && cell.p50 <= cell.p99, "{cell:?}");
        assert!(cell.sent > 0.0 && cell.received > cell.surplus, "{cell:?}");
        assert_eq!(cell.notice_p50.is_some(), cell.work == Work::Stream, "{cell:?}");
        assert_eq!(cell.cpu, None, "nobody said which process");
    }
    let surplus = |work, protocol| {
        let mut cells = report.cells.iter();
        cells.find(|cell| (cell.work, cell.protocol) == (work, protocol)).unwrap().surplus
    };
    for work in [Work::User, Work::Posts, Work::List] {
        let rest = surplus(work, Protocol::Rest);
        assert!(rest > surplus(work, Protocol::Graphql) && rest > surplus(work, Protocol::Grpc));
    }
    assert_eq!(value(&report)["cells"].as_array().unwrap().len(), all.len());
    assert!(text(&report).contains("3 posts, 2 comments"));
    shop.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_protocol_does_every_work_and_answers_right() {
    check(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_over_http_2_answers_the_same() {
    check(true).await;
}

#[tokio::test]
async fn where_no_shop_is_that_is_said_at_once_with_what_to_do() {
    let error = run(&Options::new("http://127.0.0.1:1")).await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1") && error.contains("switchboard up"), "{error}");
    let error = run(&Options::new("https://shop.example")).await.unwrap_err().to_string();
    assert!(error.contains("https://shop.example is not an address like"), "{error}");
}

#[tokio::test]
async fn ctrl_c_ends_the_shop_beside_in_order() {
    let mut compare = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["compare", "protocols", "--clients", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let id = compare.id();
    let children = format!("/proc/{id}/task/{id}/children");
    let shop: u32 = eventually("the shop beside", || async {
        fs::read_to_string(&children).unwrap().split_whitespace().next()?.parse().ok()
    })
    .await;
    // It is the shop once it is another program than its parent.
    let line = eventually("its command line", || async {
        let line = fs::read_to_string(format!("/proc/{shop}/cmdline")).ok()?;
        line.contains("--ephemeral").then_some(line)
    })
    .await;
    assert!(line.contains("127.0.0.1:0"), "{line}");
    Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap();
    let ended = tokio::task::spawn_blocking(move || compare.wait().unwrap()).await.unwrap();
    assert_eq!(ended.code(), Some(130));
    assert!(!fs::exists(format!("/proc/{shop}")).unwrap(), "the shop beside is still there");
}
