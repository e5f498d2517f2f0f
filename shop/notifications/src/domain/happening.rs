//! Everything that this service hears of, in one type.

use shop_contracts::orders::{OrderPlaced, OrderStatusChanged};
use shop_contracts::users::{UserChanged, UserCreated, UserDeleted};
use switchboard_core::{DecodeError, Envelope, Message};

/// An event of another service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Somebody signed up.
    UserCreated(UserCreated),
    /// Somebody has another name or address.
    UserChanged(UserChanged),
    /// Somebody left.
    UserDeleted(UserDeleted),
    /// An order was accepted.
    OrderPlaced(OrderPlaced),
    /// An order came to another state.
    OrderChanged(OrderStatusChanged),
}

// === impl Happening ===

impl Happening {
    /// The event in an envelope; `None` when it is of a kind that nobody here knows.
    ///
    /// # Errors
    /// [`DecodeError`] when the payload is not what its kind says.
    pub fn read(envelope: &Envelope) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match envelope.kind.as_str() {
            UserCreated::KIND => Self::UserCreated(envelope.message()?),
            UserChanged::KIND => Self::UserChanged(envelope.message()?),
            UserDeleted::KIND => Self::UserDeleted(envelope.message()?),
            OrderPlaced::KIND => Self::OrderPlaced(envelope.message()?),
            OrderStatusChanged::KIND => Self::OrderChanged(envelope.message()?),
            _ => return Ok(None),
        }))
    }

    /// Whom it is about.
    pub fn user_id(&self) -> &str {
        match self {
            Self::UserCreated(event) => &event.user_id,
            Self::UserChanged(event) => &event.user_id,
            Self::UserDeleted(event) => &event.user_id,
            Self::OrderPlaced(event) => &event.user_id,
            Self::OrderChanged(event) => &event.user_id,
        }
    }

    /// The order that it is about.
    pub fn order_id(&self) -> Option<&str> {
        match self {
            Self::OrderPlaced(event) => Some(&event.order_id),
            Self::OrderChanged(event) => Some(&event.order_id),
            Self::UserCreated(_) | Self::UserChanged(_) | Self::UserDeleted(_) => None,
        }
    }
}
