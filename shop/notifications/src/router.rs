//! Passes events on by the table. Copies are messages like any other: committed with the mark of the event, so each is passed on once.

use std::sync::Arc;

use shop_contracts::{orders, users};
use shop_edge::Deps;
use switchboard_core::{Envelope, Name, Timestamp};
use switchboard_handler::Group;
use switchboard_store::{NewMessage, Unit};

use crate::routes::{Destination, destinations};

/// The header in which a copy carries when its event happened.
pub(crate) const HAPPENED_AT: &str = "happened-at";
/// The header in which a copy carries the id of its event.
pub(crate) const EVENT_ID: &str = "event-id";

/// The group that reads every event of users and orders.
pub fn group(deps: &Deps) -> Group {
    let pass_on = |cause: Arc<Envelope>| async move { Ok(passed_on(&cause)) };
    deps.group("notifications.router")
        .on_any(users::EVENTS, pass_on)
        .on_any(orders::EVENTS, pass_on)
}

/// The unit that passes an event on; it does nothing when the table has no line for it.
fn passed_on(event: &Envelope) -> Unit {
    destinations(&event.topic, &event.kind)
        .iter()
        .fold(Unit::new(), |unit, destination| unit.send(copy(event, *destination)))
}

fn copy(event: &Envelope, destination: Destination) -> NewMessage {
    let copy = NewMessage {
        topic: Name::from(destination.topic()),
        kind: event.kind.clone(),
        version: event.version,
        key: event.key.clone(),
        payload: event.payload.clone(),
        context: None,
        headers: event.headers.clone(),
    };
    copy.with_header(HAPPENED_AT, event.time.to_string())
        .with_header(EVENT_ID, event.id.to_string())
}

/// When the event of a copy happened.
pub(crate) fn happened_at(copy: &Envelope) -> Timestamp {
    copy.headers.get(HAPPENED_AT).and_then(|time| time.parse().ok()).unwrap_or(copy.time)
}

#[cfg(test)]
mod tests {
    use switchboard_core::{Key, ManualClock, Rng};

    use super::*;

    fn event(topic: &str, kind: &str) -> Envelope {
        let clock = ManualClock::at(Timestamp::from_micros(5_000_000));
        Envelope::new(topic, kind, "users", &clock, &mut Rng::from_seed(1))
            .with_key(Key::from("u1"))
            .with_payload(&b"{\"user_id\":\"u1\"}"[..])
    }

    #[test]
    fn a_copy_is_the_event_on_another_topic() {
        let event = event("users.events", "users.created");
        let unit = passed_on(&event);
        let topics: Vec<_> = unit.messages.iter().map(|copy| copy.topic.to_string()).collect();
        assert_eq!(topics, Destination::ALL.map(Destination::topic));
        for copy in unit.messages {
            assert_eq!((&copy.kind, &copy.key), (&event.kind, &event.key));
            assert_eq!(copy.payload, event.payload);
            assert_eq!(&*copy.headers[EVENT_ID], event.id.to_string());
            assert_eq!(&*copy.headers[HAPPENED_AT], "1970-01-01T00:00:05Z");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_done_and_passed_on_to_nobody() {
        assert!(passed_on(&event("users.events", "users.danced")).is_empty());
    }
}
