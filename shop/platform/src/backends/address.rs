//! Where the broker and the stores are, as a person names them: an engine of its own, or what is built in.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The broker that all services share.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum BrokerUrl {
    /// The log in the data folder: one process, no engine beside.
    #[default]
    Embedded,
    /// `kafka://host:port`.
    Kafka(String),
    /// `amqp://user:password@host:port/vhost`.
    Rabbit(String),
}

/// Where the stores of the services are.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file each in the data folder.
    #[default]
    Sqlite,
    /// `postgres://user:password@host:port/database`: a schema each.
    Postgres(String),
}

/// What can be named as a broker.
pub const BROKERS: &str = "embedded, kafka://HOST:PORT or amqp://USER:PASSWORD@HOST:PORT/VHOST";
/// What can be named as a store.
pub const STORES: &str = "sqlite or postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// The text is not an address of an engine.
#[derive(Debug, thiserror::Error)]
#[error("use {0}")]
pub struct NotAnAddress(&'static str);

// === impl BrokerUrl ===

impl BrokerUrl {
    /// What it is called in sentences.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "the embedded broker",
            Self::Kafka(_) => "Kafka",
            Self::Rabbit(_) => "RabbitMQ",
        }
    }
}

impl FromStr for BrokerUrl {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        match text.split_once("://") {
            None if text == "embedded" => Ok(Self::Embedded),
            Some(("kafka" | "kafkas", rest)) if !rest.is_empty() => {
                Ok(Self::Kafka(text.to_owned()))
            }
            Some(("amqp" | "amqps", rest)) if !rest.is_empty() => Ok(Self::Rabbit(text.to_owned())),
            _ => Err(NotAnAddress(BROKERS)),
        }
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Kafka(url) | Self::Rabbit(url) => f.write_str(&masked(url)),
        }
    }
}

// === impl StoreUrl ===

impl FromStr for StoreUrl {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        match text.split_once("://") {
            None if text == "sqlite" => Ok(Self::Sqlite),
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => {
                Ok(Self::Postgres(text.to_owned()))
            }
            _ => Err(NotAnAddress(STORES)),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => f.write_str("sqlite"),
            Self::Postgres(url) => f.write_str(&masked(url)),
        }
    }
}

macro_rules! shown_masked {
    ($($address:ty),*) => {$(
        impl fmt::Debug for $address {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $address {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )*};
}
shown_masked!(BrokerUrl, StoreUrl);

/// A URL as it may be shown: the password in front of the host and every setting that is called
/// one are `***`.
pub fn masked(url: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, it)| (base, Some(it)));
    let mut shown =
        match base.split_once("://").map(|(scheme, rest)| (scheme, rest.rsplit_once('@'))) {
            Some((scheme, Some((user, rest)))) => match user.split_once(':') {
                Some((user, _password)) => format!("{scheme}://{user}:***@{rest}"),
                None => base.to_owned(),
            },
            _ => base.to_owned(),
        };
    for (number, setting) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if number == 0 { '?' } else { '&' });
        match setting.split_once('=') {
            Some((name, _)) if is_secret(name) => shown.push_str(&format!("{name}=***")),
            _ => shown.push_str(setting),
        }
    }
    shown
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("kafka://127.0.0.1:9092,b:1", "kafka://127.0.0.1:9092,b:1"),
            ("amqp://guest:gu@est@h:5672/%2f", "amqp://guest:***@h:5672/%2f"),
            ("postgres://ann@h/shop?sslmode=require", "postgres://ann@h/shop?sslmode=require"),
            ("postgres://h/shop?user=a&password=p%40", "postgres://h/shop?user=a&password=***"),
        ] {
            assert_eq!(masked(url), shown);
        }
        let broker: BrokerUrl = "amqp://a:secret@h".parse().unwrap();
        let shown = format!("{broker} {broker:?} {}", serde_json::to_string(&broker).unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_would_be_one() {
        for text in ["", "kafka", "kafka://", "redis://h", "sqlite", "postgres://h/d"] {
            let error = text.parse::<BrokerUrl>().unwrap_err();
            assert!(error.to_string().contains("amqp://"), "{text}: {error}");
        }
        for text in ["", "mysql://h", "embedded"] {
            assert!(text.parse::<StoreUrl>().unwrap_err().to_string().contains("postgres://"));
        }
        assert_eq!("postgresql://h/d".parse::<StoreUrl>().unwrap().to_string(), "postgresql://h/d");
    }
}
