//! What may be said of a user, in whatever protocol: the fields and their bounds, once.

use shop_edge::Input;

use crate::app::Change;

/// Somebody who signs up: name, address and password.
pub(super) fn newcomer(input: &mut Input) -> (String, String, String) {
    (input.text("name", 1..=100), input.email("email"), input.secret("password", 8..=256))
}

/// Somebody who signs in: address and password.
pub(super) fn credentials(input: &mut Input) -> (String, String) {
    (input.text("email", 1..=254), input.secret("password", 1..=256))
}

/// What is named, changes. A merge patch removes what it names as null, and none of these can be
/// removed.
pub(super) fn change(input: &mut Input) -> Change {
    Change {
        name: input.names("name").then(|| input.text("name", 1..=100)),
        email: input.names("email").then(|| input.email("email")),
        password: input.names("password").then(|| input.secret("password", 8..=256)),
    }
}
