//! Where the mail server is, and how the way to it is protected: `smtp://HOST:PORT?tls=required`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The port of a server that encryption is asked of, or none.
const SUBMISSION: u16 = 587;
/// The port of a server that only speaks encrypted.
const SUBMISSIONS: u16 = 465;

/// A mail server.
///
/// ```
/// use shop_notifications::mail::{Address, Security};
/// let address: Address = "smtp://mail.example.org".parse()?;
/// assert_eq!((address.port, address.security), (587, Security::Required));
/// # Ok::<(), shop_notifications::mail::InvalidAddress>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The server.
    pub host: String,
    /// Its port. Default 587, and 465 for `smtps`.
    pub port: u16,
    /// How the way is protected. Default: required, or none on this machine.
    pub security: Security,
    /// The certificate, in PEM, of an authority that the system does not know.
    pub ca: Option<PathBuf>,
}

/// How the way to the server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    None,
    /// By STARTTLS if the server offers it.
    IfOffered,
    /// By STARTTLS, or no letter is sent.
    Required,
    /// From the first byte (`smtps`).
    Always,
}

/// Text that does not say where a mail server is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAddress {
    /// It is not such a URL.
    #[error("write smtp://HOST[:PORT][?tls=none|if-offered|required][&ca=FILE], or smtps://…")]
    NotAUrl,
    /// It holds a name or a password, which would be printed and listed.
    #[error(
        "leave user and password out of the address: they come from SWITCHBOARD_SMTP_USER and \
         SWITCHBOARD_SMTP_PASSWORD"
    )]
    Credentials,
    /// It asks for something that there is not.
    #[error("`{0}` is not known: use tls=none, tls=if-offered, tls=required, or ca=FILE")]
    Unknown(String),
}

// === impl Address ===

impl Address {
    /// Whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let uri: http::Uri = text.parse().map_err(|_| InvalidAddress::NotAUrl)?;
        let authority = uri.authority().ok_or(InvalidAddress::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(InvalidAddress::Credentials);
        }
        let implicit = match uri.scheme_str() {
            Some("smtp") => false,
            Some("smtps") => true,
            _ => return Err(InvalidAddress::NotAUrl),
        };
        if authority.host().is_empty() || !matches!(uri.path(), "" | "/") {
            return Err(InvalidAddress::NotAUrl);
        }
        let mut address = Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(if implicit { SUBMISSIONS } else { SUBMISSION }),
            security: Security::Always,
            ca: None,
        };
        if !implicit {
            // What crosses a network holds names and addresses of people.
            address.security = if address.is_local() { Security::None } else { Security::Required };
        }
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("tls", "none")) if !implicit => address.security = Security::None,
                Some(("tls", "if-offered")) if !implicit => address.security = Security::IfOffered,
                Some(("tls", "required")) if !implicit => address.security = Security::Required,
                Some(("ca", file)) if !file.is_empty() => address.ca = Some(file.into()),
                _ => return Err(InvalidAddress::Unknown(pair.to_owned())),
            }
        }
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == Security::Always { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, InvalidAddress> {
        text.parse()
    }

    #[test]
    fn the_way_to_another_machine_is_protected_unless_somebody_says_otherwise() {
        for (text, port, security) in [
            ("smtp://127.0.0.1:1025", 1025, Security::None),
            ("smtp://localhost", 587, Security::None),
            ("smtp://[::1]:25", 25, Security::None),
            ("smtp://mail.example.org", 587, Security::Required),
            ("smtp://mail.example.org:25?tls=if-offered", 25, Security::IfOffered),
            ("smtp://mail.example.org?tls=none", 587, Security::None),
            ("smtps://mail.example.org/", 465, Security::Always),
        ] {
            let address = parse(text).unwrap();
            assert_eq!((address.port, address.security), (port, security), "{text}");
        }
        let ca = parse("smtps://mail:2465?ca=/etc/own-ca.pem").unwrap().ca;
        assert_eq!(ca, Some("/etc/own-ca.pem".into()));
    }

    #[test]
    fn a_password_in_the_address_is_refused() {
        let error = parse("smtp://shop:secret@mail.example.org").unwrap_err();
        assert_eq!(error, InvalidAddress::Credentials);
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn anything_else_says_how_to_write_it() {
        for text in ["", "mail.example.org", "http://mail", "smtp://", "smtp://mail/inbox"] {
            assert_eq!(parse(text), Err(InvalidAddress::NotAUrl), "{text}");
        }
        for text in ["smtp://mail?tls=maybe", "smtps://mail?tls=none", "smtp://mail?ca="] {
            assert!(matches!(parse(text), Err(InvalidAddress::Unknown(_))), "{text}");
        }
    }
}
