//! The public contract of products and stock.

use serde_json::json;
use shop_contracts::inventory::ProductListed;
use shop_edge::testing::{Answer, Call};
use shop_inventory::App;
use shop_inventory::catalogue::{CATALOGUE, ON_HAND};

use crate::Shop;

#[tokio::test]
async fn anybody_sees_what_is_for_sale_and_how_much() {
    let shop = Shop::open().await;
    let products = shop.get("/api/v1/products").await;
    assert_eq!((products.status, products.items().len()), (200, CATALOGUE.len()));
    assert!(products.items().len() >= 12);
    for product in products.items() {
        let price = product["price"]["amount"].as_i64().unwrap();
        assert!((100..=50_000).contains(&price));
        assert_eq!(product["price"]["currency"], "USD");
        let own = shop.get(product["_links"]["self"]["href"].as_str().unwrap()).await;
        assert_eq!(&own.body, product);
        let stock = shop.get(product["_links"]["stock"]["href"].as_str().unwrap()).await;
        assert_eq!(stock.body["sku"], product["sku"]);
        assert_eq!(stock.body["available"], ON_HAND);
    }
    for path in ["/api/v1/products/none", "/api/v1/stock/none"] {
        assert_eq!(shop.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn products_are_listed_once_and_each_is_told_to_the_others() {
    let shop = Shop::open().await;
    assert!(!shop.app.seed().await.unwrap());
    assert!(!App::new(&shop.bench.deps).seed().await.unwrap());
    let told = shop.bench.deps.store.outgoing(Default::default(), 100).await.unwrap();
    assert_eq!(told.len(), CATALOGUE.len());
    for (message, listing) in told.iter().zip(CATALOGUE) {
        let told: ProductListed = message.envelope.message().unwrap();
        assert_eq!((&*told.sku, told.price.amount), (listing.sku, listing.price));
        assert_eq!(told.of as usize, CATALOGUE.len());
    }
}

#[tokio::test]
async fn the_operator_counts_the_stock_and_nobody_else() {
    let shop = Shop::open().await;
    let path = "/api/v1/stock/mug-slate";
    let counted = shop.put(path, json!({ "on_hand": 7 })).await;
    assert_eq!((counted.status, shop.stock("mug-slate").await), (200, [7, 0, 7]));
    assert_eq!(shop.get(path).await.body, counted.body);

    let body = json!({ "on_hand": 9 });
    let ann = shop.bench.token("ann");
    assert_eq!(Call::put(path, body.clone()).send(&shop.routes).await.status, 401);
    assert_eq!(Call::put(path, body.clone()).of(&ann).send(&shop.routes).await.status, 403);
    assert_eq!(shop.put("/api/v1/stock/none", body).await.status, 404);
    for wrong in [json!({ "on_hand": -1 }), json!({ "on_hand": "9" }), json!({})] {
        let answer = shop.put(path, wrong).await;
        assert_eq!((answer.status, answer.pointers()), (422, vec!["#/on_hand"]));
    }
    let surplus = shop.put(path, json!({ "on_hand": 1, "reserved": 0 })).await;
    assert_eq!((surplus.status, surplus.pointers()), (422, vec!["#/reserved"]));
    assert_eq!(shop.stock("mug-slate").await, [7, 0, 7]);
}

#[tokio::test]
async fn e8_products_are_paged() {
    let shop = Shop::open().await;
    let (mut skus, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let page = shop.get(&format!("/api/v1/products?limit=5&cursor={cursor}")).await;
        skus.extend(page.items().iter().map(|item| item["sku"].as_str().unwrap().to_owned()));
        next = page.body["next"].as_str().map(str::to_owned);
    }
    let expected: Vec<_> = CATALOGUE.iter().map(|listing| listing.sku).collect();
    assert_eq!(skus, expected);
}

#[tokio::test]
async fn e6_version_2_of_stock_is_set_only_as_it_was_read() {
    let Shop { bench, routes, .. } = Shop::open().await;
    let operator = bench.operator();
    let sku = CATALOGUE[0].sku;
    let path = |version: &str| format!("/api/{version}/stock/{sku}");
    let put = |version: &str, on_hand: i64| {
        Call::put(path(version), json!({ "on_hand": on_hand })).of(&operator)
    };
    let without = put("v2", 5).send(&routes).await;
    assert_eq!((without.status, without.body["status"].as_u64()), (428, Some(428)));
    let read = Call::get(path("v2")).send(&routes).await;
    let tag = read.header("etag").to_owned();
    let set = put("v2", 5).with("if-match", &*tag).send(&routes).await;
    assert_eq!((set.status, &set.body["on_hand"]), (200, &5.into()));
    let late = put("v2", 6).with("if-match", &*tag).send(&routes).await;
    assert_eq!((late.status, late.header("etag")), (412, set.header("etag")));
    // Version 1 asks for nothing, and judges what it is told.
    assert_eq!(put("v1", 7).send(&routes).await.status, 200);
    assert_eq!(put("v1", 8).with("if-match", "\"x\"").send(&routes).await.status, 412);
    assert_eq!(Call::get(path("v2")).send(&routes).await.body["on_hand"], 7);
}

#[tokio::test]
async fn e8_products_are_read_there_and_back_by_their_links() {
    let shop = Shop::open().await;
    let follow = async |page: &Answer, rel: &str| {
        shop.get(page.body["_links"][rel]["href"].as_str().unwrap()).await
    };
    let first = shop.get("/api/v1/products?limit=4").await;
    let second = follow(&first, "next").await;
    let third = follow(&second, "next").await;
    let back = follow(&third, "prev").await;
    assert_eq!(back.items(), second.items());
    let back = follow(&back, "prev").await;
    assert_eq!((back.items(), back.body["_links"].get("prev")), (first.items(), None));
}
