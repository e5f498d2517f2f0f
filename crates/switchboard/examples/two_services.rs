//! Two services, a handler and a saga: a hotel books rooms, trips book a hotel and then pay, or unbook.
//!
//! `cargo run --example two_services`

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard::handler::Group;
use switchboard::message::{Broker, MemoryBroker, Topic, Topology};
use switchboard::relay::Relay;
use switchboard::saga::{
    Answer, Definition, EFFECTS, Orchestrator, Participant, Performs, SAGAS, Step,
};
use switchboard::store::{Expect, MemoryStore, NewMessage, Store, Table, Unit};
use switchboard::{Rng, SystemClock, impl_message};
use tokio_util::sync::CancellationToken;

static ROOMS: Table = Table { name: "rooms", columns: &[], indexes: &[] };

#[derive(Serialize, Deserialize)]
struct Trip(String, String);
#[derive(Serialize, Deserialize)]
struct Book(String);
#[derive(Serialize, Deserialize)]
struct Unbook(String);
#[derive(Serialize, Deserialize)]
struct Pay(String);
impl_message!(Book, "hotel", "hotel.book", key = 0);
impl_message!(Unbook, "hotel", "hotel.unbook", key = 0);
impl_message!(Pay, "hotel", "hotel.pay", key = 0);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (clock, stop) = (Arc::new(SystemClock), CancellationToken::new());
    let broker = Arc::new(MemoryBroker::new(clock.clone()));
    broker.declare(&Topology::of([Topic::new("hotel"), Topic::new("trips.replies")])).await?;
    let service = |name: &str, tables: &[&'static Table]| -> (Arc<dyn Store>, Group) {
        let store = Arc::new(MemoryStore::new(name, tables, clock.clone(), Rng::from_entropy()));
        let relay = Relay::new(store.clone(), broker.clone(), clock.clone());
        tokio::spawn(relay.run(stop.clone()));
        let rng = Rng::from_entropy();
        (store.clone(), Group::new(name, store, broker.clone(), clock.clone(), rng))
    };

    // The hotel: one unit holds the room, the memory of the question, and the answer.
    let (rooms, group) = service("hotel", &[&ROOMS, &EFFECTS]);
    let seat = Participant::new(rooms.clone());
    let hotel = group
        .performs(&seat, &(), |(), Book(room)| async move {
            let free = Unit::new().expect(Expect::row_absent(&ROOMS, &*room));
            Ok(Answer::done(free.put(&ROOMS, &*room, [])))
        })
        .undoes(&seat, &(), |(), Unbook(room)| async move {
            Ok(Answer::done(Unit::new().delete(&ROOMS, &*room)))
        })
        .performs(&seat, &(), |(), Pay(trip)| async move {
            Ok(if trip == "poor" {
                Answer::rejected("no_money")
            } else {
                Answer::done(Unit::new())
            })
        });
    tokio::spawn(hotel.run(stop.clone()));

    // Trips: what is asked in which order, and how it is undone.
    let book = Step::new("room", |Trip(_, room)| NewMessage::of(&Book(room.clone())));
    let trip = Definition::<Trip>::new("trip", "trips.replies")
        .step(book.undo(|Trip(_, room)| NewMessage::of(&Unbook(room.clone()))))
        .step(Step::new("pay", |Trip(id, _)| NewMessage::of(&Pay(id.clone()))))
        .build()?;
    let (trips, group) = service("trips", &[&SAGAS]);
    let saga = Orchestrator::new(trip, trips.clone(), clock.clone());
    tokio::spawn(saga.register(group).run(stop.clone()));

    for (id, room) in [("rich", "101"), ("poor", "102")] {
        let mut moved = trips.watch();
        trips.commit(saga.start(id, &Trip(id.to_owned(), room.to_owned()))).await?;
        while !saga.load(id).await?.is_some_and(|shown| shown.run.state.phase.is_final()) {
            moved.changed().await?;
        }
        let phase = saga.load(id).await?.map(|shown| shown.run.state.phase.name());
        let booked = rooms.row(&ROOMS, room).await?.is_some();
        println!("trip {id}: {}, room {room} booked: {booked}", phase.unwrap_or("unknown"));
    }
    stop.cancel();
    Ok(())
}
