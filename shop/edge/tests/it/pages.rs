//! Pages as a caller walks them: by links, there and back again.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use shop_edge::{Auth, Deps, Page, Problem};
use switchboard_core::{ManualClock, Rng};
use switchboard_store::{Column, Journal, MemoryStore, Row, Select, Store, Table, Unit};

use crate::{Answer, ask, deps, request};

static THINGS: Table =
    Table { name: "things", columns: &[Column::integer("at")], indexes: &[&["at"]] };

#[derive(Clone)]
struct Edge(Arc<dyn Store>, Arc<Auth>);

async fn routes(Deps { auth, .. }: Deps) -> Router {
    async fn list(State(Edge(store, auth)): State<Edge>, page: Page) -> Result<Response, Problem> {
        let turn = page.turn(&auth, "things")?;
        let select = Select::all(&THINGS).descending("at").limit(turn.rows());
        let rows = store.select(turn.seek().of(select)).await?;
        let place = |row: &Row| (row.integer("at").into(), row.key.clone());
        Ok(turn.collect(&auth, rows, place).map(|row| row.key).into_response())
    }
    let clock = Arc::new(ManualClock::default());
    let store = MemoryStore::new("test", &[&THINGS], clock, Rng::from_seed(1));
    for number in 0..7_i64 {
        // Some at the same time: the key decides then.
        let unit = Unit::new().put(&THINGS, number.to_string(), [("at", (number / 2).into())]);
        store.commit(unit).await.unwrap();
    }
    Router::new().route("/things", get(list)).with_state(Edge(Arc::new(store), auth))
}

fn link(answer: &Answer, rel: &str) -> Option<String> {
    answer.body["_links"][rel]["href"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn e8_links_lead_through_all_pages_and_back() {
    let routes = routes(deps()).await;
    let read = async |path: &str| ask(&routes, request("GET", path, &[], "")).await;
    let (mut path, mut pages) = (Some("/things?limit=3".to_owned()), Vec::new());
    while let Some(at) = path {
        let page = read(&at).await;
        assert_eq!(link(&page, "self"), Some(at));
        assert_eq!(link(&page, "first").as_deref(), Some("/things?limit=3"));
        assert_ne!(page.body.get("next"), Some(&Value::Null), "absent, never null");
        path = link(&page, "next");
        pages.push(page);
    }
    let items: Vec<_> = pages.iter().map(|page| page.body["items"].clone()).collect();
    assert_eq!(items, [json!(["6", "5", "4"]), json!(["3", "2", "1"]), json!(["0"])]);
    assert_eq!(link(&pages[0], "prev"), None);
    let second = read(&link(&pages[2], "prev").unwrap()).await;
    assert_eq!(second.body["items"], items[1]);
    let first = read(&link(&second, "prev").unwrap()).await;
    assert_eq!((&first.body["items"], link(&first, "prev")), (&items[0], None));
    let again = read(&link(&first, "next").unwrap()).await;
    assert_eq!(again.body["items"], items[1]);
}

#[tokio::test]
async fn e8_a_limit_is_clamped_and_what_is_no_limit_or_cursor_is_malformed() {
    let routes = routes(deps()).await;
    let read = async |path: &str| ask(&routes, request("GET", path, &[], "")).await;
    let all = read("/things?limit=99999999999999999999").await;
    assert_eq!(all.body["items"].as_array().map(Vec::len), Some(7));
    assert_eq!(all.body.get("next"), None);
    for (path, parameter) in [
        ("/things?limit=-1", "limit"),
        ("/things?limit=x", "limit"),
        ("/things?cursor=x", "cursor"),
    ] {
        let wrong = read(path).await;
        wrong.assert_problem(400, "malformed");
        assert_eq!(wrong.body["errors"][0]["parameter"], parameter, "{path}");
    }
}
