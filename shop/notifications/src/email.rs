//! The group that writes letters, into a mailbox that can be browsed.
//!
//! An order's letter may come before its user's address does, for they are different keys. Such a letter waits; the address finds it.
//! Letter and address both change the contact's row, so that neither can overlook the other.

use std::sync::Arc;

use shop_contracts::users::{UserChanged, UserCreated};
use shop_edge::Deps;
use switchboard_core::Envelope;
use switchboard_handler::{Failure, Group};
use switchboard_store::{Expect, Row, StoreError, Unit, Value};

use crate::App;
use crate::domain::{Happening, letter};
use crate::router::{event_id, happened_at};
use crate::routes::Destination;
use crate::tables::{CONTACTS, MAILBOX};

/// What is known of somebody's address.
const KNOWN: &str = "known";
/// They have left: nothing is written to them any more.
const GONE: &str = "gone";

/// The letter was sent.
const SENT: &str = "sent";
/// The letter waits for an address.
const WAITING: &str = "waiting";

/// The group.
pub fn group(app: &App, deps: &Deps) -> Group {
    let app = app.clone();
    let (store, broker) = (deps.store.clone(), deps.broker.clone());
    Group::new("notifications.email", store, broker, deps.clock.clone(), deps.rng.clone().fork())
        .on_any(Destination::Email.topic(), move |copy: Arc<Envelope>| {
            let app = app.clone();
            async move { app.write(&copy).await }
        })
}

/// Somebody's contact with the condition that it is still as it was read.
struct Contact {
    row: Option<Row>,
    unchanged: Expect,
}

impl App {
    async fn write(&self, copy: &Envelope) -> Result<Unit, Failure> {
        self.switches().of(Destination::Email).check()?;
        let Some(happening) = Happening::read(copy).map_err(Failure::terminal)? else {
            return Ok(Unit::new());
        };
        let user_id = happening.user_id();
        let contact = self.contact(user_id).await?;
        if let Happening::UserDeleted(_) = happening {
            return Ok(self.gone(contact, user_id).await?);
        }
        if contact.is(GONE) {
            return Ok(Unit::new());
        }
        let (unit, address) = match &happening {
            Happening::UserCreated(UserCreated { name, email, .. })
            | Happening::UserChanged(UserChanged { name, email, .. }) => {
                (self.known(&contact, user_id, name, email).await?, Some(email.clone()))
            }
            _ => (Unit::new(), contact.address()),
        };
        Ok(match letter::about(&happening) {
            Some(letter) => {
                unit.expect(contact.unchanged).and(written(copy, &happening, letter, address))
            }
            None if unit.is_empty() => unit,
            None => unit.expect(contact.unchanged),
        })
    }

    async fn contact(&self, user_id: &str) -> Result<Contact, StoreError> {
        let row = self.store.row(&CONTACTS, user_id).await?;
        let unchanged = match &row {
            Some(row) => Expect::row_at(&CONTACTS, user_id, row.version),
            None => Expect::row_absent(&CONTACTS, user_id),
        };
        Ok(Contact { row, unchanged })
    }

    /// An address became known: letters that wait for it are sent.
    async fn known(
        &self,
        contact: &Contact,
        user_id: &str,
        name: &str,
        email: &str,
    ) -> Result<Unit, StoreError> {
        let waiting = contact.row.as_ref().map_or(0, |row| row.integer("waiting"));
        let unit = Unit::new().put(
            &CONTACTS,
            user_id,
            [
                ("name", Value::from(name)),
                ("email", Value::from(email)),
                ("state", Value::from(KNOWN)),
                ("waiting", Value::from(0)),
            ],
        );
        if waiting == 0 {
            return Ok(unit);
        }
        let letters = self.all_of(&MAILBOX, user_id).await?;
        let sent = [("recipient", Value::from(email)), ("status", Value::from(SENT))];
        Ok(letters
            .into_iter()
            .filter(|letter| letter.text("status") == WAITING)
            .fold(unit, |unit, letter| unit.put(&MAILBOX, letter.key, sent.clone())))
    }

    /// Somebody has left: their address and letters go with them.
    async fn gone(&self, contact: Contact, user_id: &str) -> Result<Unit, StoreError> {
        let cells = [
            ("name", Value::Null),
            ("email", Value::Null),
            ("state", Value::from(GONE)),
            ("waiting", Value::from(0)),
        ];
        let unit = Unit::new().expect(contact.unchanged).put(&CONTACTS, user_id, cells);
        let letters = self.all_of(&MAILBOX, user_id).await?;
        Ok(letters.into_iter().fold(unit, |unit, letter| unit.delete(&MAILBOX, letter.key)))
    }
}

/// The unit of a letter. One without an address is counted at the contact, which is how the
/// address finds it.
fn written(
    copy: &Envelope,
    happening: &Happening,
    letter: letter::Letter,
    address: Option<String>,
) -> Unit {
    let user_id = happening.user_id();
    let waits = address.is_none();
    let cells = [
        ("user_id", Value::from(user_id)),
        ("recipient", Value::from(address)),
        ("subject", Value::from(letter.subject)),
        ("body", Value::from(letter.body)),
        ("order_id", Value::from(happening.order_id())),
        ("status", Value::from(if waits { WAITING } else { SENT })),
        ("at", Value::from(happened_at(copy))),
    ];
    let unit = Unit::new().put(&MAILBOX, event_id(copy), cells);
    if waits { unit.add(&CONTACTS, user_id, "waiting", 1) } else { unit }
}

// === impl Contact ===

impl Contact {
    fn is(&self, state: &str) -> bool {
        self.row.as_ref().is_some_and(|row| row.text("state") == state)
    }

    fn address(&self) -> Option<String> {
        self.row.as_ref().filter(|_| self.is(KNOWN)).map(|row| row.text("email").to_owned())
    }
}
