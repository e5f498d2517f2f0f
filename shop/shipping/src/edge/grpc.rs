//! Shipments over gRPC.

use std::sync::Arc;

use shop_contracts::rpc::shipping as wire;
use shop_contracts::rpc::shipping::shipping_service_server::{
    ShippingService, ShippingServiceServer,
};
use shop_contracts::rpc::{DESCRIPTORS, timestamp};
use shop_edge::rpc::{ANSWER_LIMIT, Answer, Called, MESSAGE_LIMIT, answer, batch, opened};
use shop_edge::{Auth, Deps, Page, Problem, Rpc};
use tonic::Request;

use crate::app::{App, Error, Wanted};
use crate::domain::{Shipment, ship};

struct Edge {
    app: App,
    auth: Arc<Auth>,
}

/// The service as it is described.
pub fn services(app: App, deps: &Deps) -> Rpc {
    let server = ShippingServiceServer::new(Edge { app, auth: deps.auth.clone() })
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(ANSWER_LIMIT);
    Rpc::of(deps, DESCRIPTORS).with(server)
}

// === impl Edge ===

impl Edge {
    async fn one(
        &self,
        called: &Called,
        asked: wire::GetShipmentRequest,
    ) -> Result<wire::GetShipmentResponse, Problem> {
        let caller = called.principal()?;
        let shipment = self.app.shipment(&asked.id).await?;
        caller.owns_or_404(&shipment.user_id)?;
        Ok(wire::GetShipmentResponse { shipment: Some(shown(shipment)) })
    }

    async fn listed(
        &self,
        called: &Called,
        asked: wire::ListShipmentsRequest,
    ) -> Result<wire::ListShipmentsResponse, Problem> {
        let caller = called.principal()?;
        let order_id = Some(asked.order_id).filter(|id| !id.is_empty());
        let wanted =
            Wanted { user_id: (!caller.is_operator()).then_some(caller.user_id), order_id };
        // The filter of REST, so that a page begun there goes on here.
        let filter = format!("shipments {wanted:?}");
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let after = page.after(&self.auth, &filter)?;
        let shipments = self.app.shipments(&wanted, after, page.limit + 1).await?;
        let place = |shipment: &Shipment| (shipment.created_at.into(), shipment.id.clone());
        let shipments = page.collect(&self.auth, &filter, shipments, place);
        Ok(wire::ListShipmentsResponse {
            shipments: shipments.items.into_iter().map(shown).collect(),
            next_page_token: shipments.next.unwrap_or_default(),
        })
    }

    async fn found(
        &self,
        called: &Called,
        asked: wire::BatchGetShipmentsRequest,
    ) -> Result<wire::BatchGetShipmentsResponse, Problem> {
        let caller = called.principal()?;
        let orders = batch::distinct(asked.order_ids, "order_ids")?;
        let read = |order: String| async move {
            match self.app.shipment(&ship::shipment_id(&order)).await {
                Ok(shipment) => Ok(Some(shipment)),
                Err(Error::NotFound) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let found = batch::found(orders, read).await?.into_iter();
        let own = found.filter(|shipment| caller.owns_or_404(&shipment.user_id).is_ok());
        Ok(wire::BatchGetShipmentsResponse { shipments: own.map(shown).collect() })
    }
}

#[tonic::async_trait]
impl ShippingService for Edge {
    async fn get_shipment(
        &self,
        request: Request<wire::GetShipmentRequest>,
    ) -> Answer<wire::GetShipmentResponse> {
        let (called, asked) = opened(request)?;
        answer(self.one(&called, asked).await)
    }

    async fn list_shipments(
        &self,
        request: Request<wire::ListShipmentsRequest>,
    ) -> Answer<wire::ListShipmentsResponse> {
        let (called, asked) = opened(request)?;
        answer(self.listed(&called, asked).await)
    }

    async fn batch_get_shipments(
        &self,
        request: Request<wire::BatchGetShipmentsRequest>,
    ) -> Answer<wire::BatchGetShipmentsResponse> {
        let (called, asked) = opened(request)?;
        answer(self.found(&called, asked).await)
    }
}

fn shown(shipment: Shipment) -> wire::Shipment {
    wire::Shipment {
        id: shipment.id,
        order_id: shipment.order_id,
        user_id: shipment.user_id,
        // A parcel that was handed over is on its way: no other state is known yet.
        status: wire::ShipmentStatus::Shipped.into(),
        tracking_number: shipment.tracking_number,
        carrier: shipment.carrier,
        ship_to: Some(shipment.ship_to.into()),
        items: shipment.items.into_iter().map(Into::into).collect(),
        created_at: Some(timestamp(shipment.created_at)),
    }
}
