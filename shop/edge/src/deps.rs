//! What a service is given, whatever process it runs in.

use std::sync::Arc;

use switchboard_core::{Clock, Rng};
use switchboard_message::Broker;
use switchboard_store::Store;

use crate::Auth;

/// The seams of one service. It does not know what stands behind them.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Its own store.
    pub store: Arc<dyn Store>,
    /// The broker that all services share.
    pub broker: Arc<dyn Broker>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Rng,
    /// Keys, and who calls.
    pub auth: Arc<Auth>,
}
