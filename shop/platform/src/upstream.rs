//! Where the copies of a service listen, as a person writes it: `orders=http://10.0.0.5:9001,http://10.0.0.6:9001`.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;
use serde::Serialize;

use crate::topology;

/// What is expected where upstreams are named.
pub(crate) const EXPECTED: &str = "use SERVICE=http://HOST:PORT,http://HOST:PORT …";

/// One service, and where each of its copies listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The service.
    pub service: &'static str,
    /// Its copies; at least one.
    pub addresses: Vec<Authority>,
}

/// The text names no service, or no address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnUpstream {
    /// The shape is wrong.
    #[error("{EXPECTED}")]
    Shape,
    /// There is no such service.
    #[error("`{0}` is not a service; there are: {1}")]
    Unknown(String, String),
    /// An address is not one.
    #[error("`{0}` is not an address: write http://HOST:PORT")]
    Address(String),
}

/// Several, apart by spaces or semicolons.
pub(crate) fn parse(text: &str) -> Option<Vec<Upstream>> {
    let parts = text.split(|c: char| c.is_whitespace() || c == ';').filter(|it| !it.is_empty());
    parts.map(|part| part.parse().ok()).collect()
}

/// Several, as they were written.
pub(crate) fn show(all: &[Upstream]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

// === impl Upstream ===

impl FromStr for Upstream {
    type Err = NotAnUpstream;

    fn from_str(text: &str) -> Result<Self, NotAnUpstream> {
        let (name, addresses) = text.split_once('=').ok_or(NotAnUpstream::Shape)?;
        let services = topology::services();
        let service = services.iter().map(|service| service.name).find(|known| *known == name);
        let service = service.ok_or_else(|| {
            let known = services.map(|service| service.name).join(", ");
            NotAnUpstream::Unknown(name.to_owned(), known)
        })?;
        let address = |text: &str| {
            authority(text.trim()).ok_or_else(|| NotAnUpstream::Address(text.to_owned()))
        };
        let addresses: Result<Vec<_>, _> = addresses.split(',').map(address).collect();
        Ok(Self { service, addresses: addresses? })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses.iter().map(|at| format!("http://{at}")).collect();
        write!(f, "{}={}", self.service, addresses.join(","))
    }
}

impl Serialize for Upstream {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The host and port of `http://HOST:PORT`, with nothing behind it.
fn authority(text: &str) -> Option<Authority> {
    let uri: Uri = text.parse().ok()?;
    let is_bare = uri.path_and_query().is_none_or(|path| path == "/");
    let authority = uri.authority().filter(|it| it.port().is_some() && !it.as_str().contains('@'));
    authority.filter(|_| uri.scheme_str() == Some("http") && is_bare).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_and_their_copies_are_read_and_shown() {
        let text = "orders=http://127.0.0.1:9001,http://b:2 users=http://[::1]:3";
        let all = parse(text).unwrap();
        assert_eq!(all[0].addresses, ["127.0.0.1:9001", "b:2"]);
        assert_eq!((all[1].service, show(&all)), ("users", text.to_owned()));
        assert_eq!(parse("orders=http://a:1;users=http://b:1\n").unwrap().len(), 2);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("orders", "SERVICE=http"),
            ("odrers=http://a:1", "there are: users, content, orders"),
            ("orders=", "`` is not an address"),
            ("orders=http://a", "`http://a` is not"),
            ("orders=https://a:1", "`https://a:1` is not"),
            ("orders=http://a:1/path", "is not an address"),
        ] {
            let error = text.parse::<Upstream>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
