//! The same contract over gRPC.

use shop_contracts::rpc::shipping as wire;
use shop_contracts::rpc::shipping::shipping_service_client::ShippingServiceClient;
use shop_edge::testing::{asked, guarded};
use shop_shipping::edge::grpc;
use switchboard_testkit::participant::Question;
use tonic::Code;

use crate::{Shop, ship, shipped};

#[tokio::test(start_paused = true)]
async fn a_shipment_is_found_by_its_order_and_by_its_owner_only() {
    let shop = Shop::open();
    let mut saga = shop.asker().await;
    let mut ids = Vec::new();
    for order in ["o1", "o2"] {
        let reply = saga.ask(Question::perform(order, "ship"), &ship(order, "ann", "NO")).await;
        ids.push(shipped(&reply).shipment_id);
    }
    let rpc = grpc::services(shop.app.clone(), &shop.bench.deps);
    let mut client = ShippingServiceClient::new(guarded(rpc));
    let (auth, ann) = (&shop.bench.deps.auth, shop.bench.token("ann"));
    let orders = || ["o2", "none", "o1", "o2"].map(str::to_owned).into();
    let batch = || wire::BatchGetShipmentsRequest { order_ids: orders() };
    let found = client.batch_get_shipments(asked(auth, &ann, batch())).await.unwrap().into_inner();
    let found: Vec<_> = found.shipments.into_iter().map(|it| (it.order_id, it.id)).collect();
    let pair = |order: &str, id: &String| (order.to_owned(), id.clone());
    assert_eq!(found, [pair("o2", &ids[1]), pair("o1", &ids[0])]);
    let bob = shop.bench.token("bob");
    let bobs = client.batch_get_shipments(asked(auth, &bob, batch())).await.unwrap().into_inner();
    assert_eq!(bobs.shipments, []);
    let get = || wire::GetShipmentRequest { id: ids[0].clone() };
    let one = client.get_shipment(asked(auth, &ann, get())).await.unwrap().into_inner();
    let one = one.shipment.unwrap();
    assert_eq!(
        (one.status(), one.items[0].quantity, &*one.ship_to.unwrap().country),
        (wire::ShipmentStatus::Shipped, 2, "NO")
    );
    let status = client.get_shipment(asked(auth, &bob, get())).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let page = wire::ListShipmentsRequest { page_size: 1, ..Default::default() };
    let first = client.list_shipments(asked(auth, &ann, page)).await.unwrap().into_inner();
    let path = format!("/api/v1/shipments?limit=1&cursor={}", first.next_page_token);
    let second = shop.get(&path, &ann).await;
    assert_eq!(second.items().len(), 1);
    assert_ne!(second.items()[0]["id"], first.shipments[0].id);
}
