//! Orders over gRPC.

use futures_util::stream::{BoxStream, StreamExt};
use serde_json::{Map, Value, json};
use shop_contracts::Money;
use shop_contracts::inventory::Item;
use shop_contracts::orders::OrderStatus;
use shop_contracts::rpc::common;
use shop_contracts::rpc::orders as wire;
use shop_contracts::rpc::orders::order_service_server::{OrderService, OrderServiceServer};
use shop_contracts::rpc::{DESCRIPTORS, timestamp};
use shop_contracts::shipping::ShipTo;
use shop_edge::rpc::told::{maybe_text, moment, text, told};
use shop_edge::rpc::{ANSWER_LIMIT, Answer, Called, MESSAGE_LIMIT, answer, batch, opened};
use shop_edge::{Deps, IdempotencyKey, Input, Page, Problem, Rpc};
use switchboard_core::Timestamp;
use switchboard_store::{Row, StoredEvent};
use tonic::{Request, Status};

use super::rest::{Edge, own, placed};
use super::watch::Watches;
use crate::app::{App, Error, View};
use crate::domain::order::{OrderEvent, may_be_cancelled};

struct Rpcs {
    edge: Edge,
    watches: Watches,
}

/// The service as it is described.
pub fn services(app: App, deps: &Deps) -> Rpc {
    let rpcs = Rpcs { edge: Edge::new(app, deps), watches: Watches::new() };
    let server = OrderServiceServer::new(rpcs)
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(ANSWER_LIMIT);
    Rpc::of(deps, DESCRIPTORS).with(server)
}

// === impl Rpcs ===

impl Rpcs {
    async fn placed(
        &self,
        called: &Called,
        asked: wire::PlaceOrderRequest,
    ) -> Result<wire::PlaceOrderResponse, Problem> {
        let caller = called.principal()?;
        let key = IdempotencyKey::of(&asked.idempotency_key)?;
        let input = Input::of(wanted(asked));
        let stored = placed(&self.edge, caller, called.context(), key, input).await?;
        let (body, replayed) = told(stored)?;
        Ok(wire::PlaceOrderResponse { order: Some(order_of(&body)), replayed })
    }

    async fn own(&self, called: &Called, id: &str) -> Result<View, Problem> {
        own(&self.edge, &called.principal()?, id).await
    }

    async fn listed(
        &self,
        called: &Called,
        asked: wire::ListOrdersRequest,
    ) -> Result<wire::ListOrdersResponse, Problem> {
        let caller = called.principal()?;
        let of = (!caller.is_operator()).then_some(&*caller.user_id);
        // The filter of REST, so that a page begun there goes on here.
        let filter = format!("orders of {}", of.unwrap_or("all"));
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let after = page.after(&self.edge.auth, &filter)?;
        let rows = self.edge.app.orders(of, after, page.limit + 1).await?;
        let place = |row: &Row| (row.integer("created_at").into(), row.key.clone());
        let rows = page.collect(&self.edge.auth, &filter, rows, place);
        let view = |row| View { row, history: Vec::new() };
        Ok(wire::ListOrdersResponse {
            orders: rows.items.into_iter().map(|row| shown(&view(row))).collect(),
            next_page_token: rows.next.unwrap_or_default(),
        })
    }

    async fn cancelled(
        &self,
        called: &Called,
        asked: wire::CancelOrderRequest,
    ) -> Result<wire::CancelOrderResponse, Problem> {
        self.own(called, &asked.id).await?;
        let view = self.edge.app.cancel(called.context(), &asked.id).await?;
        Ok(wire::CancelOrderResponse { order: Some(shown(&view)) })
    }

    async fn found(
        &self,
        called: &Called,
        asked: wire::BatchGetOrdersRequest,
    ) -> Result<wire::BatchGetOrdersResponse, Problem> {
        let caller = called.principal()?;
        let ids = batch::distinct(asked.ids, "ids")?;
        let read = |id: String| async move {
            match self.edge.app.order(&id).await {
                Ok(view) => Ok(Some(view)),
                Err(Error::NotFound) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let found = batch::found(ids, read).await?;
        let own = found.iter().filter(|it| caller.owns_or_404(it.row.text("user_id")).is_ok());
        Ok(wire::BatchGetOrdersResponse { orders: own.map(shown).collect() })
    }

    async fn watched(
        &self,
        called: &Called,
        asked: wire::WatchOrderRequest,
    ) -> Result<BoxStream<'static, Result<wire::WatchOrderResponse, Status>>, Problem> {
        let commits = self.edge.app.commits();
        let view = self.own(called, &asked.id).await?;
        let watch = self.watches.begin(&self.edge.app, commits, view)?;
        let told = |view: View| wire::WatchOrderResponse { order: Some(shown(&view)) };
        Ok(watch.map(move |seen| Ok(told(seen?))).boxed())
    }

    async fn recorded(
        &self,
        called: &Called,
        asked: wire::ListOrderEventsRequest,
    ) -> Result<wire::ListOrderEventsResponse, Problem> {
        self.own(called, &asked.id).await?;
        let events = self.edge.app.events(&asked.id).await?;
        let events = events.iter().map(record).collect::<Result<_, _>>()?;
        Ok(wire::ListOrderEventsResponse { events })
    }
}

#[tonic::async_trait]
impl OrderService for Rpcs {
    type WatchOrderStream = BoxStream<'static, Result<wire::WatchOrderResponse, Status>>;

    async fn place_order(
        &self,
        request: Request<wire::PlaceOrderRequest>,
    ) -> Answer<wire::PlaceOrderResponse> {
        let (called, asked) = opened(request)?;
        answer(self.placed(&called, asked).await)
    }

    async fn get_order(
        &self,
        request: Request<wire::GetOrderRequest>,
    ) -> Answer<wire::GetOrderResponse> {
        let (called, asked) = opened(request)?;
        let view = self.own(&called, &asked.id).await;
        answer(view.map(|view| wire::GetOrderResponse { order: Some(shown(&view)) }))
    }

    async fn list_orders(
        &self,
        request: Request<wire::ListOrdersRequest>,
    ) -> Answer<wire::ListOrdersResponse> {
        let (called, asked) = opened(request)?;
        answer(self.listed(&called, asked).await)
    }

    async fn cancel_order(
        &self,
        request: Request<wire::CancelOrderRequest>,
    ) -> Answer<wire::CancelOrderResponse> {
        let (called, asked) = opened(request)?;
        answer(self.cancelled(&called, asked).await)
    }

    async fn batch_get_orders(
        &self,
        request: Request<wire::BatchGetOrdersRequest>,
    ) -> Answer<wire::BatchGetOrdersResponse> {
        let (called, asked) = opened(request)?;
        answer(self.found(&called, asked).await)
    }

    async fn watch_order(
        &self,
        request: Request<wire::WatchOrderRequest>,
    ) -> Answer<Self::WatchOrderStream> {
        let (called, asked) = opened(request)?;
        answer(self.watched(&called, asked).await)
    }

    async fn list_order_events(
        &self,
        request: Request<wire::ListOrderEventsRequest>,
    ) -> Answer<wire::ListOrderEventsResponse> {
        let (called, asked) = opened(request)?;
        answer(self.recorded(&called, asked).await)
    }
}

/// What is ordered, as REST's body has it: the same checks, and the same key of idempotency for the
/// same order.
fn wanted(asked: wire::PlaceOrderRequest) -> Value {
    let items: Vec<_> = asked
        .items
        .iter()
        .map(|item| json!({ "sku": item.sku, "quantity": item.quantity }))
        .collect();
    let mut body = Map::new();
    body.insert("account_id".to_owned(), asked.account_id.into());
    body.insert("items".to_owned(), items.into());
    if let Some(to) = asked.ship_to {
        let common::ShipTo { name, address, city, country } = to;
        let to = json!({ "name": name, "address": address, "city": city, "country": country });
        body.insert("ship_to".to_owned(), to);
    }
    Value::Object(body)
}

fn status_of(text: &str) -> wire::OrderStatus {
    let status = serde_json::from_value::<OrderStatus>(text.into());
    status.map_or(wire::OrderStatus::Unspecified, Into::into)
}

fn shown(view: &View) -> wire::Order {
    let row = &view.row;
    let given = |column: &str| Some(row.text(column).to_owned()).filter(|text| !text.is_empty());
    let items: Vec<Item> = serde_json::from_str(row.text("items")).unwrap_or_default();
    let ship_to: Option<ShipTo> = serde_json::from_str(row.text("ship_to")).ok();
    let history = view.history.iter().map(|past| wire::StatusChange {
        status: wire::OrderStatus::from(past.status).into(),
        at: Some(timestamp(past.at)),
        reason: past.reason.clone(),
    });
    wire::Order {
        id: row.key.clone(),
        user_id: row.text("user_id").to_owned(),
        account_id: row.text("account_id").to_owned(),
        status: status_of(row.text("status")).into(),
        total: Some(Money::new(row.integer("total"), row.text("currency")).into()),
        items: items.into_iter().map(Into::into).collect(),
        ship_to: ship_to.map(Into::into),
        history: history.collect(),
        created_at: Some(timestamp(Timestamp::from_micros(row.integer("created_at")))),
        cancellable: may_be_cancelled(row),
        shipment_id: given("shipment_id"),
        tracking_number: given("tracking_number"),
    }
}

/// An order as REST has stored it with its key.
fn order_of(body: &Value) -> wire::Order {
    let items: Vec<Item> = serde_json::from_value(body["items"].clone()).unwrap_or_default();
    let ship_to: Option<ShipTo> = serde_json::from_value(body["ship_to"].clone()).ok();
    let total: Option<Money> = serde_json::from_value(body["total"].clone()).ok();
    let history = body["history"].as_array().map_or(&[][..], Vec::as_slice);
    let history = history.iter().map(|past| wire::StatusChange {
        status: status_of(past["status"].as_str().unwrap_or_default()).into(),
        at: moment(&past["at"]).map(timestamp),
        reason: maybe_text(&past["reason"]),
    });
    wire::Order {
        id: text(&body["id"]),
        user_id: text(&body["user_id"]),
        account_id: text(&body["account_id"]),
        status: status_of(body["status"].as_str().unwrap_or_default()).into(),
        total: total.map(Into::into),
        items: items.into_iter().map(Into::into).collect(),
        ship_to: ship_to.map(Into::into),
        history: history.collect(),
        created_at: moment(&body["created_at"]).map(timestamp),
        cancellable: !body["_links"]["cancellation"].is_null(),
        shipment_id: maybe_text(&body["shipment_id"]),
        tracking_number: maybe_text(&body["tracking_number"]),
    }
}

fn record(event: &StoredEvent) -> Result<wire::OrderEvent, Problem> {
    use wire::OrderEventType as Kind;
    let mut record = wire::OrderEvent {
        seq: event.version,
        at: Some(timestamp(event.time)),
        ..Default::default()
    };
    let kind = match event.decode()? {
        OrderEvent::Placed(_) => Kind::Placed,
        OrderEvent::CancellationRequested => Kind::CancellationRequested,
        OrderEvent::Entered { status, reason } => {
            record.status = wire::OrderStatus::from(status).into();
            record.reason = reason;
            Kind::Entered
        }
        OrderEvent::Shipped { shipment_id, tracking_number } => {
            record.shipment_id = Some(shipment_id);
            record.tracking_number = Some(tracking_number);
            Kind::Shipped
        }
    };
    record.r#type = kind.into();
    Ok(record)
}
