//! The saga of these tests: look, take a room, pay (the pivot), send the papers.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchboard_core::{Key, Message};
use switchboard_saga::{Change, Definition, Phase, Step};
use switchboard_store::{Column, NewMessage, Table, Unit, Value};

pub(crate) const REPLIES: &str = "trips.replies";
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the service itself shows of a trip, written by the saga's hook.
pub(crate) static TRIPS: Table =
    Table { name: "trips", columns: &[Column::text("shows")], indexes: &[] };

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub(crate) id: String,
}

macro_rules! command {
    ($type:ident, $kind:literal) => {
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub(crate) struct $type {
            pub(crate) trip: String,
        }

        impl $type {
            pub(crate) fn of(trip: &Trip) -> NewMessage {
                NewMessage::of(&Self { trip: trip.id.clone() })
            }
        }

        impl Message for $type {
            const TOPIC: &'static str = "agency";
            const KIND: &'static str = $kind;
            fn key(&self) -> Option<Key> {
                Some(Key::from(&*self.trip))
            }
        }
    };
}
command!(Look, "agency.look");
command!(TakeRoom, "agency.take_room");
command!(LeaveRoom, "agency.leave_room");
command!(Pay, "agency.pay");
command!(SendPapers, "agency.send_papers");

pub(crate) fn trip() -> Arc<Definition<Trip>> {
    Definition::new("trip", REPLIES)
        .step(Step::new("look", Look::of).changes_nothing())
        .step(Step::new("room", TakeRoom::of).undo(LeaveRoom::of))
        .step(Step::new("pay", Pay::of).pivot())
        .step(Step::new("papers", SendPapers::of))
        .with_patience(PATIENCE)
        .on_change(show)
        .build()
        .unwrap()
}

/// The same, but looking leaves something behind as well: two undos.
pub(crate) fn trip_with_two_undos() -> Arc<Definition<Trip>> {
    Definition::new("trip", REPLIES)
        .step(Step::new("look", Look::of).undo(LeaveRoom::of))
        .step(Step::new("room", TakeRoom::of).undo(LeaveRoom::of))
        .step(Step::new("pay", Pay::of).pivot())
        .with_patience(PATIENCE)
        .build()
        .unwrap()
}

fn show(trip: &Trip, change: &Change) -> Unit {
    let shows = match change.to {
        Phase::Completed => "booked",
        Phase::Undone => "cancelled",
        Phase::Stuck { .. } => "somebody looks after it",
        Phase::Doing(_) | Phase::Undoing(_) => "on its way",
    };
    Unit::new().put(&TRIPS, &*trip.id, [("shows", Value::from(shows))])
}
