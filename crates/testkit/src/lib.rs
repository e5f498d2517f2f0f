//! What proves a Switchboard service: conformance suites, fault layers, trials and given/when/then.
//!
//! A development dependency only; each part is a feature, so that a test compiles no more than it needs.
//!
//! - `file` ([`file`](mod@file)) files that tear, forget what was not synced, fail to sync and fill up
//! - `vfs` ([`vfs`]) the same under SQLite
//! - `message` ([`message`]) the conformance suite of brokers
//! - `store` ([`store`]) the conformance suite of stores
//! - `sqlite` ([`crash`]) power cuts under the SQLite store, counted
//! - `saga` ([`saga`]) trials that every saga gets for free
//! - `participant` ([`participant`]) asking a participant as a saga does, again and again
//! - `python` ([`python`]) programs in another language that know nothing of us
//! - always: [`decision`] given/when/then for decisions

#[cfg(any(feature = "message", feature = "store"))]
mod capabilities;
#[cfg(feature = "sqlite")]
pub mod crash;
pub mod decision;
#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "message")]
pub mod message;
#[cfg(feature = "participant")]
pub mod participant;
#[cfg(feature = "python")]
pub mod python;
#[cfg(feature = "saga")]
pub mod saga;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "vfs")]
pub mod vfs;
