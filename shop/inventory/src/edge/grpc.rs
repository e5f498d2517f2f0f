//! Products and stock over gRPC.

use std::sync::Arc;

use serde_json::json;
use shop_contracts::rpc::DESCRIPTORS;
use shop_contracts::rpc::inventory as wire;
use shop_contracts::rpc::inventory::inventory_service_server::{
    InventoryService, InventoryServiceServer,
};
use shop_edge::rpc::{ANSWER_LIMIT, Answer, Called, MESSAGE_LIMIT, answer, batch, opened};
use shop_edge::{Auth, Deps, Input, Page, Problem, Rpc};
use switchboard_store::Value as Cell;
use tonic::{Request, Status, Streaming};

use super::rest::on_hand;
use crate::app::{App, Error, Product};
use crate::domain::Stock;

/// Lines that one import may have.
const IMPORT_MAX: i64 = 1_000_000;
/// Lines that had no effect, as many as are told.
const FAILURES_MAX: usize = 1_000;

struct Edge {
    app: App,
    auth: Arc<Auth>,
}

/// The service as it is described.
pub fn services(app: App, deps: &Deps) -> Rpc {
    let server = InventoryServiceServer::new(Edge { app, auth: deps.auth.clone() })
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(ANSWER_LIMIT);
    Rpc::of(deps, DESCRIPTORS).with(server)
}

// === impl Edge ===

impl Edge {
    async fn listed(
        &self,
        asked: wire::ListProductsRequest,
    ) -> Result<wire::ListProductsResponse, Problem> {
        const FILTER: &str = "products";
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let after = page.after(&self.auth, FILTER)?;
        let products = self.app.products(after, page.limit + 1).await?;
        let place = |product: &Product| (Cell::Null, product.sku.clone());
        let products = page.collect(&self.auth, FILTER, products, place);
        Ok(wire::ListProductsResponse {
            products: products.items.into_iter().map(product).collect(),
            next_page_token: products.next.unwrap_or_default(),
        })
    }

    async fn set(&self, called: &Called, sku: String, level: i64) -> Result<wire::Stock, Problem> {
        let mut input = Input::of(json!({ "on_hand": level }));
        let on_hand = on_hand(&mut input);
        input.finish()?;
        let stock = self.app.adjust(called.context(), &sku, on_hand).await?;
        Ok(shown(sku, stock))
    }

    /// One line after the other, so that the last one of a product wins; what was done stays done,
    /// whether the caller comes to the end or not.
    async fn imported(
        &self,
        called: &Called,
        mut lines: Streaming<wire::ImportStockRequest>,
    ) -> Result<wire::ImportStockResponse, Status> {
        called.principal()?.require_operator()?;
        let mut done = wire::ImportStockResponse::default();
        while let Some(line) = lines.message().await? {
            if done.received == IMPORT_MAX {
                let detail = format!("An import has at most {IMPORT_MAX} lines: begin another.");
                return Err(Problem::unprocessable(detail).into());
            }
            done.received += 1;
            let sku = line.sku.clone();
            match self.set(called, line.sku, line.on_hand).await {
                Ok(_) => done.imported += 1,
                Err(problem) if problem.status().is_server_error() => return Err(problem.into()),
                Err(_) if done.failures.len() == FAILURES_MAX => {}
                Err(problem) => done.failures.push(wire::ImportFailure {
                    line: done.received,
                    sku,
                    reason: problem.reason().to_owned(),
                    detail: problem.detail().to_owned(),
                }),
            }
        }
        Ok(done)
    }

    async fn products(
        &self,
        asked: wire::BatchGetProductsRequest,
    ) -> Result<wire::BatchGetProductsResponse, Problem> {
        let skus = batch::distinct(asked.skus, "skus")?;
        let read = |sku: String| async move { there(self.app.product(&sku).await) };
        let products = batch::found(skus, read).await?.into_iter().map(product).collect();
        Ok(wire::BatchGetProductsResponse { products })
    }

    async fn stocks(
        &self,
        asked: wire::BatchGetStockRequest,
    ) -> Result<wire::BatchGetStockResponse, Problem> {
        let skus = batch::distinct(asked.skus, "skus")?;
        let read = |sku: String| async move {
            let stock = there(self.app.stock(&sku).await)?;
            Ok::<_, Error>(stock.map(|stock| shown(sku, stock)))
        };
        Ok(wire::BatchGetStockResponse { stock: batch::found(skus, read).await? })
    }
}

#[tonic::async_trait]
impl InventoryService for Edge {
    async fn list_products(
        &self,
        request: Request<wire::ListProductsRequest>,
    ) -> Answer<wire::ListProductsResponse> {
        answer(self.listed(request.into_inner()).await)
    }

    async fn get_product(
        &self,
        request: Request<wire::GetProductRequest>,
    ) -> Answer<wire::GetProductResponse> {
        let found = self.app.product(&request.get_ref().sku).await.map_err(Problem::from);
        answer(found.map(|found| wire::GetProductResponse { product: Some(product(found)) }))
    }

    async fn get_stock(
        &self,
        request: Request<wire::GetStockRequest>,
    ) -> Answer<wire::GetStockResponse> {
        let sku = request.into_inner().sku;
        let found = self.app.stock(&sku).await.map_err(Problem::from);
        answer(found.map(|stock| wire::GetStockResponse { stock: Some(shown(sku, stock)) }))
    }

    async fn set_stock(
        &self,
        request: Request<wire::SetStockRequest>,
    ) -> Answer<wire::SetStockResponse> {
        let (called, asked) = opened(request)?;
        called.principal()?.require_operator()?;
        let set = self.set(&called, asked.sku, asked.on_hand).await;
        answer(set.map(|stock| wire::SetStockResponse { stock: Some(stock) }))
    }

    async fn import_stock(
        &self,
        request: Request<Streaming<wire::ImportStockRequest>>,
    ) -> Answer<wire::ImportStockResponse> {
        let (called, lines) = opened(request)?;
        Ok(tonic::Response::new(self.imported(&called, lines).await?))
    }

    async fn batch_get_products(
        &self,
        request: Request<wire::BatchGetProductsRequest>,
    ) -> Answer<wire::BatchGetProductsResponse> {
        answer(self.products(request.into_inner()).await)
    }

    async fn batch_get_stock(
        &self,
        request: Request<wire::BatchGetStockRequest>,
    ) -> Answer<wire::BatchGetStockResponse> {
        answer(self.stocks(request.into_inner()).await)
    }
}

/// What is not there is nothing, in a batch.
fn there<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn product(product: Product) -> wire::Product {
    let Product { sku, name, price } = product;
    wire::Product { sku, name, price: Some(price.into()) }
}

fn shown(sku: String, stock: Stock) -> wire::Stock {
    let Stock { on_hand, reserved, available } = stock;
    wire::Stock { sku, on_hand, reserved, available }
}
