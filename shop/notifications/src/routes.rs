//! Which event goes where. The whole routing is this table, and operators see it as it is.

use shop_contracts::orders::{self, OrderPlaced, OrderStatusChanged};
use shop_contracts::users::{self, UserChanged, UserCreated, UserDeleted};
use switchboard_core::Message;

/// A group that events are passed on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// Writes letters.
    Email,
    /// Counts.
    Analytics,
    /// Tells customers in the shop.
    Notification,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The topic that it comes from.
    pub topic: &'static str,
    /// What it is.
    pub kind: &'static str,
    /// Where it goes.
    pub to: &'static [Destination],
}

use Destination::{Analytics, Email, Notification};

/// The table. What is not in it is passed on to nobody.
pub const ROUTES: &[Route] = &[
    route::<UserCreated>(users::EVENTS, &[Email, Analytics, Notification]),
    route::<UserChanged>(users::EVENTS, &[Email]),
    route::<UserDeleted>(users::EVENTS, &[Email, Analytics, Notification]),
    route::<OrderPlaced>(orders::EVENTS, &[Email, Analytics, Notification]),
    route::<OrderStatusChanged>(orders::EVENTS, &[Email, Analytics, Notification]),
];

const fn route<M: Message>(topic: &'static str, to: &'static [Destination]) -> Route {
    Route { topic, kind: M::KIND, to }
}

/// Where an event goes; nowhere when it is not in the table.
pub fn destinations(topic: &str, kind: &str) -> &'static [Destination] {
    ROUTES
        .iter()
        .find(|route| route.topic == topic && route.kind == kind)
        .map_or(&[], |route| route.to)
}

// === impl Destination ===

impl Destination {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Email, Self::Analytics, Self::Notification];

    /// Its name in addresses: `email`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Analytics => "analytics",
            Self::Notification => "notification",
        }
    }

    /// The topic that its group reads.
    pub const fn topic(self) -> &'static str {
        match self {
            Self::Email => "notifications.email",
            Self::Analytics => "notifications.analytics",
            Self::Notification => "notifications.notification",
        }
    }

    /// The destination of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|destination| destination.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_user_reaches_all_three_and_a_stranger_nobody() {
        assert_eq!(destinations("users.events", "users.created"), Destination::ALL);
        assert_eq!(destinations("orders.events", "users.created"), []);
        assert_eq!(destinations("users.events", "users.danced"), []);
    }

    #[test]
    fn each_event_has_one_line_and_goes_to_each_group_once() {
        for (index, route) in ROUTES.iter().enumerate() {
            let same = |other: &&Route| (other.topic, other.kind) == (route.topic, route.kind);
            assert_eq!(ROUTES.iter().position(|other| same(&other)), Some(index), "{route:?}");
            let mut to = route.to.to_vec();
            to.sort();
            to.dedup();
            assert_eq!(to.len(), route.to.len(), "{route:?}");
        }
    }

    #[test]
    fn destinations_are_found_by_their_names() {
        for destination in Destination::ALL {
            assert_eq!(Destination::parse(destination.name()), Some(destination));
            let expected = format!("notifications.{}", destination.name());
            assert_eq!(destination.topic(), expected);
        }
        assert_eq!(Destination::parse("router"), None);
    }
}
