//! Two services, a handler and a saga: a hotel books rooms, trips book a hotel and then pay, or unbook.
//!
//! `cargo run --example two_services`

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchboard::handler::Group;
use switchboard::message::{Broker, MemoryBroker, Topic, Topology};
use switchboard::relay::Relay;
use switchboard::saga::{Answer, Definition, EFFECTS, Orchestrator, Participant, SAGAS, Step};
use switchboard::store::{Expect, MemoryStore, NewMessage, Store, Table, Unit};
use switchboard::{Clock, Envelope, Key, Message, Rng, SystemClock};
use tokio_util::sync::CancellationToken;

static ROOMS: Table = Table { name: "rooms", columns: &[], indexes: &[] };

#[derive(Serialize, Deserialize)]
struct Trip {
    id: String,
    room: String,
}
#[derive(Serialize, Deserialize)]
struct Book {
    room: String,
}
#[derive(Serialize, Deserialize)]
struct Unbook {
    room: String,
}
#[derive(Serialize, Deserialize)]
struct Pay {
    trip: String,
}

macro_rules! message {
    ($type:ty, $topic:literal, $kind:literal, $key:ident) => {
        impl Message for $type {
            const TOPIC: &'static str = $topic;
            const KIND: &'static str = $kind;
            fn key(&self) -> Option<Key> {
                Some(Key::from(&*self.$key))
            }
        }
    };
}
message!(Book, "hotel", "hotel.book", room);
message!(Unbook, "hotel", "hotel.unbook", room);
message!(Pay, "hotel", "hotel.pay", trip);

/// The hotel: one unit holds the room, the memory of the question, and the answer.
fn hotel(store: Arc<dyn Store>, broker: Arc<dyn Broker>, clock: Arc<dyn Clock>) -> Group {
    let seat = Participant::new(store.clone());
    let (book, unbook, pay) = (seat.clone(), seat.clone(), seat);
    Group::new("hotel", store, broker, clock, Rng::from_entropy())
        .on::<Book, _, _>(move |wish, cause: Arc<Envelope>| {
            let seat = book.clone();
            async move {
                seat.perform(&cause, || async {
                    let unit = Unit::new().expect(Expect::row_absent(&ROOMS, &*wish.room));
                    Ok(Answer::Done {
                        unit: unit.put(&ROOMS, &*wish.room, []),
                        reply: "booked".into(),
                    })
                })
                .await
            }
        })
        .on::<Unbook, _, _>(move |wish, cause: Arc<Envelope>| {
            let seat = unbook.clone();
            async move {
                seat.undo(&cause, || async {
                    let unit = Unit::new().delete(&ROOMS, &*wish.room);
                    Ok(Answer::Done { unit, reply: "free again".into() })
                })
                .await
            }
        })
        .on::<Pay, _, _>(move |wish, cause: Arc<Envelope>| {
            let seat = pay.clone();
            async move {
                seat.perform(&cause, || async {
                    Ok(match &*wish.trip {
                        "poor" => Answer::Rejected { unit: Unit::new(), reason: "no_money".into() },
                        _ => Answer::Done { unit: Unit::new(), reply: "paid".into() },
                    })
                })
                .await
            }
        })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new(clock.clone()));
    broker.declare(&Topology::of([Topic::new("hotel"), Topic::new("trips.replies")])).await?;
    let store = |name: &str, tables: &[&'static Table]| -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(name, tables, clock.clone(), Rng::from_entropy()))
    };
    let (trips, rooms) = (store("trips", &[&SAGAS]), store("hotel", &[&ROOMS, &EFFECTS]));

    let trip = Definition::<Trip>::new("trip", "trips.replies")
        .step(
            Step::new("room", |trip: &Trip| NewMessage::of(&Book { room: trip.room.clone() }))
                .undo(|trip| NewMessage::of(&Unbook { room: trip.room.clone() })),
        )
        .step(Step::new("pay", |trip: &Trip| NewMessage::of(&Pay { trip: trip.id.clone() })))
        .build()?;
    let saga = Orchestrator::new(trip, trips.clone(), clock.clone());
    let group =
        Group::new("trips", trips.clone(), broker.clone(), clock.clone(), Rng::from_entropy());

    let shutdown = CancellationToken::new();
    tokio::spawn(saga.register(group).run(shutdown.clone()));
    tokio::spawn(hotel(rooms.clone(), broker.clone(), clock.clone()).run(shutdown.clone()));
    for store in [&trips, &rooms] {
        let relay = Relay::new(store.clone(), broker.clone(), clock.clone());
        tokio::spawn(relay.run(shutdown.clone()));
    }

    for (id, room) in [("rich", "101"), ("poor", "102")] {
        let trip = Trip { id: id.to_owned(), room: room.to_owned() };
        let mut moved = trips.watch();
        trips.commit(saga.start(id, &trip)).await?;
        while !saga.load(id).await?.is_some_and(|shown| shown.run.state.phase.is_final()) {
            moved.changed().await?;
        }
        let phase = saga.load(id).await?.map(|shown| shown.run.state.phase.name());
        let booked = rooms.row(&ROOMS, room).await?.is_some();
        println!("trip {id}: {}, room {room} booked: {booked}", phase.unwrap_or("unknown"));
    }
    shutdown.cancel();
    Ok(())
}
