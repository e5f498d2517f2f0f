//! The same contract over gRPC.

use shop_contracts::rpc::inventory as wire;
use shop_contracts::rpc::inventory::inventory_service_client::InventoryServiceClient;
use shop_edge::rpc::Guard;
use shop_edge::testing::{asked, guarded};
use shop_inventory::edge::grpc;
use tonic::{Code, Request};

use crate::Shop;

const MUG: &str = "mug-slate";

impl Shop {
    fn client(&self) -> InventoryServiceClient<Guard> {
        let rpc = grpc::services(self.app.clone(), &self.bench.deps);
        InventoryServiceClient::new(guarded(rpc))
    }

    fn asks<T>(&self, token: &str, message: T) -> Request<T> {
        asked(&self.bench.deps.auth, token, message)
    }
}

#[tokio::test]
async fn products_are_read_by_everybody_and_pages_go_on_in_the_other_protocol() {
    let shop = Shop::open().await;
    let mut client = shop.client();
    let page = wire::ListProductsRequest { page_size: 2, page_token: String::new() };
    let first = client.list_products(shop.asks("", page)).await.unwrap().into_inner();
    assert_eq!(first.products.len(), 2);
    let path = format!("/api/v1/products?limit=1&cursor={}", first.next_page_token);
    let third = shop.get(&path).await.body["items"][0]["sku"].as_str().unwrap().to_owned();
    let all = wire::ListProductsRequest { page_size: 1_000, page_token: String::new() };
    let all = client.list_products(shop.asks("", all)).await.unwrap().into_inner();
    assert_eq!((&all.products[2].sku, &all.products[..2]), (&third, &first.products[..]));
    let negative = wire::ListProductsRequest { page_size: -1, page_token: String::new() };
    let status = client.list_products(shop.asks("", negative)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let forged = wire::ListProductsRequest { page_size: 1, page_token: "forged".to_owned() };
    let status = client.list_products(shop.asks("", forged)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn stock_is_set_by_the_operator_within_its_bounds() {
    let shop = Shop::open().await;
    let (mut client, operator) = (shop.client(), shop.bench.operator());
    let set = |on_hand| wire::SetStockRequest { sku: MUG.to_owned(), on_hand };
    let stock = client.set_stock(shop.asks(&operator, set(7))).await.unwrap().into_inner();
    assert_eq!(stock.stock.unwrap().available, 7);
    assert_eq!(shop.stock(MUG).await, [7, 0, 7]);
    let ann = shop.bench.token("ann");
    for (token, on_hand, code) in [
        (&*ann, 8, Code::PermissionDenied),
        ("", 8, Code::Unauthenticated),
        (&*operator, -1, Code::InvalidArgument),
    ] {
        let status = client.set_stock(shop.asks(token, set(on_hand))).await.unwrap_err();
        assert_eq!(status.code(), code);
    }
    assert_eq!(shop.stock(MUG).await, [7, 0, 7]);
}

#[tokio::test]
async fn an_import_says_which_lines_failed_and_the_rest_takes_effect() {
    let shop = Shop::open().await;
    let line = |sku: &str, on_hand| wire::ImportStockRequest { sku: sku.to_owned(), on_hand };
    let lines = vec![line(MUG, 3), line("nothing", 3), line(MUG, -3), line(MUG, 5)];
    let stream = futures_util::stream::iter(lines);
    let done = shop.client().import_stock(shop.asks(&shop.bench.operator(), stream)).await;
    let done = done.unwrap().into_inner();
    assert_eq!((done.received, done.imported), (4, 2));
    let failed: Vec<_> = done.failures.iter().map(|it| (it.line, &*it.reason)).collect();
    assert_eq!(failed, [(2, "NOT_FOUND"), (3, "VALIDATION")]);
    assert_eq!(shop.stock(MUG).await, [5, 0, 5]);
    let stream = futures_util::stream::iter([line(MUG, 9)]);
    let status = shop.client().import_stock(shop.asks(&shop.bench.token("ann"), stream)).await;
    assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(shop.stock(MUG).await, [5, 0, 5]);
}

#[tokio::test]
async fn batches_answer_what_is_there_in_the_order_of_the_question() {
    let shop = Shop::open().await;
    let mut client = shop.client();
    let all = client.list_products(shop.asks("", wire::ListProductsRequest::default())).await;
    let skus: Vec<_> =
        all.unwrap().into_inner().products.into_iter().map(|product| product.sku).collect();
    let asked = vec![skus[1].clone(), "nothing".to_owned(), skus[0].clone(), skus[1].clone()];
    let batch = wire::BatchGetProductsRequest { skus: asked.clone() };
    let products = client.batch_get_products(shop.asks("", batch)).await.unwrap().into_inner();
    let found: Vec<_> = products.products.into_iter().map(|product| product.sku).collect();
    assert_eq!(found, [&*skus[1], &*skus[0]]);
    let batch = wire::BatchGetStockRequest { skus: asked };
    let stock = client.batch_get_stock(shop.asks("", batch)).await.unwrap().into_inner().stock;
    assert_eq!(stock.iter().map(|it| &*it.sku).collect::<Vec<_>>(), found);
    let many = wire::BatchGetStockRequest { skus: (0..1_001).map(|n| n.to_string()).collect() };
    let status = client.batch_get_stock(shop.asks("", many)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}
