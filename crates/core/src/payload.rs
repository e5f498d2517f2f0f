//! What a typed message or a typed event declares about itself, once.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Key;

/// A record addressed to someone: a command, a reply, or an integration event on a topic.
///
/// The payload is JSON. The topic may be overridden when a message is sent (a reply goes where
/// the command asked).
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The topic it is published to.
    const TOPIC: &'static str;
    /// Its type, as consumers see it: `payments.charge`.
    const KIND: &'static str;
    /// The version of its schema.
    const VERSION: u16 = 1;

    /// What keeps it in order: messages of one key are handled one after another.
    fn key(&self) -> Option<Key>;
}

/// Implements [`Message`] for a type that one of its fields, a text, keeps in order.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Charge {
///     account: String,
///     amount: i64,
/// }
/// switchboard_core::impl_message!(Charge, "payments", "payments.charge", key = account);
///
/// use switchboard_core::Message;
/// let charge = Charge { account: "a".into(), amount: 5 };
/// assert_eq!((Charge::TOPIC, charge.key()), ("payments", Some("a".into())));
/// ```
#[macro_export]
macro_rules! impl_message {
    ($type:ty, $topic:expr, $kind:literal, key = $field:tt) => {
        impl $crate::Message for $type {
            const TOPIC: &'static str = $topic;
            const KIND: &'static str = $kind;
            fn key(&self) -> Option<$crate::Key> {
                Some($crate::Key::from(&*self.$field))
            }
        }
    };
}

/// The closed set of facts of one kind of stream, usually an enum with `#[serde(tag = "type")]`.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The version of its schema.
    const VERSION: u16 = 1;

    /// The type of this fact, as the audit trail shows it: `Deposited`.
    fn kind(&self) -> &'static str;
}
