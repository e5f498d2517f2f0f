//! How the doors of the shop behave, as settings say: what is written about requests, and how often one caller may call.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde::Serialize;
use shop_edge::serve::{self, Access};
use shop_edge::{Auth, Process};
use shop_gateway::{Callers, Limits};

use crate::serve::GATEWAY;
use crate::settings::Settings;

/// What is expected for the share of requests that are written.
pub(crate) const SHARE: &str = "a share from 0 to 1";
/// What is expected where origins are named.
pub(crate) const ORIGINS: &str = "https://HOST,https://HOST:PORT, as a browser names them";
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
    /// Whether gRPC describes the services to whoever asks at the public port. Default yes.
    pub grpc_reflection: bool,
    /// Web pages of these origins may call by gRPC-Web. Default none but the shop's own.
    pub grpc_web_origins: Origins,
}

/// Where web pages may come from: `https://shop.example`, several apart by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Origins(Vec<String>);

/// The text names no origins.
#[derive(Debug, thiserror::Error)]
#[error("{ORIGINS}")]
pub struct NotOrigins;

// === impl Doors ===

impl Default for Doors {
    fn default() -> Self {
        Self {
            access_sample: 0.0,
            access_bodies: false,
            rate_limit: Limits::Usual,
            grpc_reflection: true,
            grpc_web_origins: Origins::default(),
        }
    }
}

impl Doors {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Self {
        Self {
            access_sample: settings.access_sample.value,
            access_bodies: settings.access_bodies.value,
            rate_limit: settings.rate_limit.value,
            grpc_reflection: settings.grpc_reflection.value,
            grpc_web_origins: settings.grpc_web_origins.value.clone(),
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

    /// The public port's gRPC.
    pub(crate) fn rpc(&self) -> shop_gateway::rpc::Options {
        let origins = self.grpc_web_origins.0.iter();
        shop_gateway::rpc::Options {
            reflection: self.grpc_reflection,
            origins: origins.filter_map(|it| HeaderValue::from_str(it).ok()).collect(),
            ..Default::default()
        }
    }

    /// Who counts at the public port.
    pub(crate) fn callers(&self, auth: &Arc<Auth>) -> Callers {
        Callers::new(self.rate_limit, auth.clone())
    }

    fn access(&self, name: &str) -> Access {
        Access { name: name.into(), sample: self.access_sample, bodies: self.access_bodies }
    }
}

// === impl Origins ===

impl FromStr for Origins {
    type Err = NotOrigins;

    fn from_str(text: &str) -> Result<Self, NotOrigins> {
        let origin = |text: &str| {
            let uri: http::Uri = text.parse().ok()?;
            let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
            // A browser's header has neither path nor slash.
            (is_web && uri.authority().is_some() && !text.ends_with('/') && uri.path() == "/")
                .then(|| text.to_owned())
        };
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        parts.map(origin).collect::<Option<_>>().map(Self).ok_or(NotOrigins)
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "" })?;
        f.write_str(&self.0.join(","))
    }
}

/// A share that can be meant.
pub(crate) fn share(text: &str) -> Option<f64> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_named_as_browsers_name_them() {
        let origins: Origins = "https://shop.example, http://127.0.0.1:3000".parse().unwrap();
        assert_eq!(origins.to_string(), "https://shop.example,http://127.0.0.1:3000");
        assert_eq!(Origins::default().to_string(), "(none)");
        for wrong in ["*", "shop.example", "https://shop.example/", "https://a/b", "ftp://a"] {
            assert!(wrong.parse::<Origins>().is_err(), "{wrong}");
        }
        let doors = Doors { grpc_web_origins: origins, grpc_reflection: false, ..Doors::default() };
        let options = doors.rpc();
        assert_eq!((options.origins.len(), options.reflection, options.health), (2, false, true));
    }
}
