//! The group that writes letters, into a mailbox that can be browsed, and hands them to a courier if there is one.
//!
//! An order's letter may come before its user's address does, for they are different keys. Such a letter waits; the address finds it.
//! Letter and address both change the contact's row, so that neither can overlook the other.
//!
//! A letter that leaves the shop is first committed, with a message that says so; the same group hands it over when that message comes.
//! So what was written is never sent before it is certain, and nothing that a mail server does delays what is written. Those messages have
//! keys of their own, one a user: letters to one user stay in order, one that is refused parks those behind it, and a better address still
//! gets through.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shop_contracts::users::{UserChanged, UserCreated};
use shop_edge::Deps;
use switchboard_core::{Envelope, Key, Message, Timestamp};
use switchboard_handler::{Failure, Group, Options};
use switchboard_store::{Expect, Row, StoreError, Unit, Value};

use crate::App;
use crate::domain::{Happening, identity, letter};
use crate::mail::Parcel;
use crate::router::happened_at;
use crate::routes::Destination;
use crate::tables::{CONTACTS, MAILBOX};

/// What is known of somebody's address.
const KNOWN: &str = "known";
/// They have left: nothing is written to them any more.
const GONE: &str = "gone";

/// The letter was sent; without a courier it was that when it was written.
const SENT: &str = "sent";
/// The letter is on its way to the courier.
const OUTGOING: &str = "outgoing";
/// The letter waits for an address.
const WAITING: &str = "waiting";

/// Letters of one user that are sent off at once when the address becomes known, at most; the rest
/// goes with the next change of the address.
const FREED: usize = 900;
/// The waits after a mail server did not take a letter: a day and a half in all, as mail servers
/// do among themselves, before a person is asked.
const WAITS: [u64; 16] = [
    5, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 14_400, 28_800, 28_800, 28_800,
];

/// A letter is committed and has to leave the shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterWritten {
    /// The letter.
    pub letter_id: String,
    /// Whom it is to.
    pub user_id: String,
}

/// The group.
pub fn group(app: &App, deps: &Deps) -> Group {
    let (writes, posts) = (app.clone(), app.clone());
    let group = deps
        .group("notifications.email")
        .on_any(Destination::Email.topic(), move |copy: Arc<Envelope>| {
            let app = writes.clone();
            async move { app.write(&copy).await }
        })
        .on(move |written: LetterWritten, _| {
            let app = posts.clone();
            async move { app.post(&written).await }
        });
    let Some(guard) = app.mail_guard() else { return group };
    let delays = WAITS.map(Duration::from_secs).to_vec();
    // A server that is away does not come back within milliseconds.
    group
        .with_options(Options { immediate: 1, delays, ..deps.group_options() })
        .guarded_by(guard.guard().only_for::<LetterWritten>())
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
        let id = identity::of(&happening);
        let letter = match letter::about(&happening) {
            // Told once more: the letter is there, and may have been sent long ago.
            Some(_) if self.store.row(&MAILBOX, &id).await?.is_some() => None,
            letter => letter,
        };
        Ok(match letter {
            Some(letter) => {
                let written = self.written(&id, copy, &happening, letter, address);
                unit.expect(contact.unchanged).and(written)
            }
            None if unit.is_empty() => unit,
            None => unit.expect(contact.unchanged),
        })
    }

    /// Hands a letter to the courier. It may happen twice when the commit afterwards fails, under
    /// the same id.
    async fn post(&self, written: &LetterWritten) -> Result<Unit, Failure> {
        self.switches().of(Destination::Email).check()?;
        let id = &written.letter_id;
        let Some(letter) = self.store.row(&MAILBOX, id).await? else { return Ok(Unit::new()) };
        if letter.text("status") != OUTGOING {
            return Ok(Unit::new());
        }
        // The address as it is now: it may have been corrected since the letter was written.
        let contact = self.contact(&written.user_id).await?;
        let Some(to) = contact.address() else { return Ok(Unit::new()) };
        // Without a courier, because it was taken away since: the mailbox is all there is.
        if let Some(courier) = self.courier() {
            let parcel = Parcel {
                id: id.clone(),
                to: to.clone(),
                subject: letter.text("subject").to_owned(),
                body: letter.text("body").to_owned(),
                at: Timestamp::from_micros(letter.integer("at")),
            };
            courier.send(&parcel).await?;
        }
        // Not if it was deleted meanwhile with everything of its reader.
        let sent = [("recipient", Value::from(to)), ("status", Value::from(SENT))];
        Ok(Unit::new().expect(Expect::row_at(&MAILBOX, id.as_str(), letter.version)).put(
            &MAILBOX,
            id.as_str(),
            sent,
        ))
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
        let letters =
            if waiting == 0 { Vec::new() } else { self.all_of(&MAILBOX, user_id).await? };
        let mut letters: Vec<_> =
            letters.into_iter().filter(|letter| letter.text("status") == WAITING).collect();
        // They come newest first, and leave oldest first.
        letters.reverse();
        let rest = letters.len().saturating_sub(FREED);
        let unit = Unit::new().put(
            &CONTACTS,
            user_id,
            [
                ("name", Value::from(name)),
                ("email", Value::from(email)),
                ("state", Value::from(KNOWN)),
                ("waiting", Value::from(i64::try_from(rest).unwrap_or(i64::MAX))),
            ],
        );
        Ok(letters.into_iter().take(FREED).fold(unit, |unit, letter| {
            let cells =
                [("recipient", Value::from(email)), ("status", Value::from(self.leaving()))];
            let unit = unit.put(&MAILBOX, letter.key.as_str(), cells);
            self.and_off(unit, letter.key, user_id)
        }))
    }

    /// What a letter with an address is at first.
    fn leaving(&self) -> &'static str {
        if self.courier().is_some() { OUTGOING } else { SENT }
    }

    /// The unit of a letter with an address, and the message that sends it off.
    fn and_off(&self, unit: Unit, letter_id: String, user_id: &str) -> Unit {
        if self.courier().is_none() {
            return unit;
        }
        unit.publish(&LetterWritten { letter_id, user_id: user_id.to_owned() })
    }

    /// The unit of a letter. One without an address is counted at the contact, which is how the
    /// address finds it.
    fn written(
        &self,
        id: &str,
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
            ("status", Value::from(if waits { WAITING } else { self.leaving() })),
            ("at", Value::from(happened_at(copy))),
        ];
        let unit = Unit::new().put(&MAILBOX, id, cells);
        if waits {
            return unit.add(&CONTACTS, user_id, "waiting", 1);
        }
        self.and_off(unit, id.to_owned(), user_id)
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

// === impl LetterWritten ===

impl Message for LetterWritten {
    const TOPIC: &'static str = Destination::Email.topic();
    const KIND: &'static str = "notifications.letter_written";

    fn key(&self) -> Option<Key> {
        Some(Key::from(format!("letters/{}", self.user_id)))
    }
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
