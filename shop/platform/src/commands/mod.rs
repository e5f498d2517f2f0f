//! What each command does. They talk to a running platform over its public port, as the operator, and say what to do when they cannot.
//!
//! - [`up`] the whole shop
//! - [`serve`] one service, or the gateway, in a process of its own
//! - [`demo`] customers, orders, and the sums
//! - [`sagas`], [`dead`] what operators do
//! - [`keys`] what tokens are signed with
//! - [`log`] the log's files, and its records
//! - [`backup`], [`restore`] copies of everything, and putting one back
//! - [`doctor`] everything that could be wrong
//! - [`compare`] alternatives side by side, measured; [`storm`] what retries do to a dependency that fails
//! - [`config`] settings and who set them
//! - [`interface`] the interface's document, and collections of requests
//! - [`proofs`] load and figures for the project's own tool
//! - [`remote`] calling a running platform
//! - [`show`] tables for people, JSON for programs

pub mod backup;
mod beside;
pub mod compare;
pub mod config;
pub mod dead;
pub mod demo;
pub mod doctor;
pub mod interface;
pub mod keys;
pub mod log;
pub mod proofs;
pub mod remote;
pub mod restore;
pub mod sagas;
pub mod serve;
pub mod show;
pub mod storm;
pub mod up;

use switchboard_core::BoxError;
use tokio::runtime::{Builder, Runtime};

/// A runtime for a command that mostly waits.
fn runtime() -> Result<Runtime, BoxError> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
