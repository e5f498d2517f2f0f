//! What a letter or a notification is, whoever tells of it and however often.
//!
//! Not the id of the message that led to it: a service that was put back to an older copy tells the same again in new messages, and nobody
//! wants to read it twice.

use super::Happening;

/// The same for every message that tells of the same thing.
pub fn of(happening: &Happening) -> String {
    match happening {
        Happening::UserCreated(event) => format!("{}-created", event.user_id),
        Happening::UserChanged(event) => format!("{}-changed", event.user_id),
        Happening::UserDeleted(event) => format!("{}-deleted", event.user_id),
        Happening::OrderPlaced(event) => format!("{}-placed", event.order_id),
        Happening::OrderChanged(event) => format!("{}-{}", event.order_id, event.status.as_str()),
    }
}
