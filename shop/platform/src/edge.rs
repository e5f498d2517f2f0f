//! How the doors of the shop behave, as settings say: what is written about requests, and how often one caller may call.

use std::sync::Arc;
use std::time::Duration;

use shop_edge::serve::{self, Access};
use shop_edge::{Auth, Process};
use shop_gateway::{Callers, Limits};

use crate::serve::GATEWAY;
use crate::settings::Settings;

/// What is expected for the share of requests that are written.
pub(crate) const SHARE: &str = "a share from 0 to 1";
/// What is expected for how often one caller may call.
pub(crate) const LIMITS: &str = "usual, off or REQUESTS/SECONDS, as 600/60";

/// Settings of all doors of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Doors {
    /// The share of requests that the access log shows. Default 0: failures only.
    pub access_sample: f64,
    /// Whether it shows bodies. Default no.
    pub access_bodies: bool,
    /// How often one caller may call at the public port. Default usual.
    pub rate_limit: Limits,
}

// === impl Doors ===

impl Default for Doors {
    fn default() -> Self {
        Self { access_sample: 0.0, access_bodies: false, rate_limit: Limits::Usual }
    }
}

impl Doors {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self {
            access_sample: settings.access_sample.value,
            access_bodies: settings.access_bodies.value,
            rate_limit: settings.rate_limit.value,
        }
    }

    /// The gateway's.
    pub(crate) fn gateway(&self) -> serve::Options {
        serve::Options { access: self.access(GATEWAY), ..Default::default() }
    }

    /// The same process, whose service behaves like this. One that only the gateway beside it calls
    /// need not wait for others to notice that it ends.
    pub(crate) fn for_service(&self, process: Process, is_alone: bool) -> Process {
        let mut options = serve::Options { access: self.access("-"), ..Default::default() };
        if !is_alone {
            options.drain = Duration::ZERO;
        }
        process.with_extra(options)
    }

    /// Who counts at the public port.
    pub(crate) fn callers(&self, auth: &Arc<Auth>) -> Callers {
        Callers::new(self.rate_limit, auth.clone())
    }

    fn access(&self, name: &str) -> Access {
        Access { name: name.into(), sample: self.access_sample, bodies: self.access_bodies }
    }
}

/// A share that can be meant.
pub(crate) fn share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
}
