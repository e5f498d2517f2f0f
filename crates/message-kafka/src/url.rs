//! A Kafka cluster with its settings as one line of text, as programs take it from their command line.

use std::str::FromStr;
use std::time::Duration;

use crate::dead_letters::Dialect;
use crate::options::{Compression, DeadLetters, Mechanism, Options, Sasl, Tls};

const DEFAULT_PORT: &str = "9092";

/// The text is not the URL of a Kafka cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It does not begin with `kafka://`, or names no broker.
    #[error("a Kafka cluster is named by `kafka://host:port`, several hosts with commas")]
    Shape,
    /// There is no such setting.
    #[error("there is no setting `{0}`")]
    Unknown(String),
    /// A setting has a value that it cannot have.
    #[error("the setting `{name}` is `{value}`, which is not {expected}")]
    Value {
        /// The setting.
        name: String,
        /// What it says.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// One setting on its way into the options.
struct Setting {
    name: String,
    value: String,
}

pub(crate) fn parse(url: &str) -> Result<Options, UrlError> {
    let rest = url.strip_prefix("kafka://").ok_or(UrlError::Shape)?;
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    let hosts = hosts.trim_end_matches('/');
    if hosts.is_empty() || hosts.contains('/') {
        return Err(UrlError::Shape);
    }
    let hosts: Vec<String> = hosts.split(',').map(with_port).collect::<Result<_, _>>()?;
    let mut options = Options::new(hosts.join(","));
    if let Some(user) = user {
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (user, password) = (decoded("user", user)?, decoded("password", password)?);
        options.sasl = Some(Sasl { mechanism: Mechanism::Plain, user, password });
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(name, value)?;
        Setting { name: name.into(), value }.apply(&mut options)?;
    }
    Ok(options)
}

fn with_port(host: &str) -> Result<String, UrlError> {
    // An IPv6 address has its colons in brackets.
    let name = host.rsplit_once(']').map_or(host, |(_, after)| after);
    match (host.is_empty(), name.contains(':')) {
        (true, _) => Err(UrlError::Shape),
        (false, true) => Ok(host.into()),
        (false, false) => Ok(format!("{host}:{DEFAULT_PORT}")),
    }
}

fn decoded(name: &str, text: &str) -> Result<String, UrlError> {
    let wrong = || UrlError::Value {
        name: name.into(),
        value: text.into(),
        expected: "text with `%` and two hexadecimal digits for what a URL reserves",
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok()).ok_or_else(wrong)?;
        bytes.push(byte);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

// === impl Setting ===

impl Setting {
    fn apply(self, options: &mut Options) -> Result<(), UrlError> {
        match self.name.as_str() {
            "client_id" => options.client_id = self.value,
            "prefix" => options.prefix = self.value,
            "replication" => options.replication = Some(self.number()?),
            "compression" => options.compression = self.compression()?,
            "linger" => options.linger = self.time()?,
            "delivery_limit" => options.delivery_limit = self.time()?,
            "buffer_bytes" => options.buffer_bytes = self.number()?,
            "max_message_bytes" => options.max_message_bytes = self.number()?,
            "commit_every" => options.commit_every = self.time()?,
            "drain" => options.drain = self.time()?,
            "session" => options.session = self.time()?,
            "heartbeat" => options.heartbeat = self.time()?,
            "dead_letters" => options.dead_letters = self.dead_letters()?,
            "tail" => options.tail = self.number()?,
            "tls" => match self.value.as_str() {
                "true" => drop(options.tls.get_or_insert_default()),
                "false" => options.tls = None,
                _ => return Err(self.is_not("`true` or `false`")),
            },
            "ca" => options.tls.get_or_insert_default().ca = Some(self.value.into()),
            "certificate" => identity(options).0 = self.value.into(),
            "key" => identity(options).1 = self.value.into(),
            "mechanism" => {
                let mechanism = self.mechanism()?;
                let Some(sasl) = &mut options.sasl else {
                    return Err(self.is_not("of use without `user:password@`"));
                };
                sasl.mechanism = mechanism;
            }
            _ => return Err(UrlError::Unknown(self.name)),
        }
        Ok(())
    }

    fn number<T: FromStr>(&self) -> Result<T, UrlError> {
        self.value.parse().map_err(|_| self.is_not("a number within its limits"))
    }

    fn time(&self) -> Result<Duration, UrlError> {
        let digits = self.value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: u64 = digits.parse().map_err(|_| self.is_not(TIME))?;
        match &self.value[digits.len()..] {
            "ms" => Ok(Duration::from_millis(number)),
            "s" => Ok(Duration::from_secs(number)),
            "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
            _ => Err(self.is_not(TIME)),
        }
    }

    fn compression(&self) -> Result<Compression, UrlError> {
        match self.value.as_str() {
            "lz4" => Ok(Compression::Lz4),
            "zstd" => Ok(Compression::Zstd),
            "none" => Ok(Compression::None),
            _ => Err(self.is_not("`lz4`, `zstd` or `none`")),
        }
    }

    fn mechanism(&self) -> Result<Mechanism, UrlError> {
        match self.value.as_str() {
            "plain" => Ok(Mechanism::Plain),
            "scram-sha-256" => Ok(Mechanism::ScramSha256),
            "scram-sha-512" => Ok(Mechanism::ScramSha512),
            _ => Err(self.is_not("`plain`, `scram-sha-256` or `scram-sha-512`")),
        }
    }

    fn dead_letters(&self) -> Result<DeadLetters, UrlError> {
        match self.value.as_str() {
            "off" => Ok(DeadLetters::Off),
            "switchboard" => Ok(DeadLetters::To(Dialect::Switchboard)),
            "spring" => Ok(DeadLetters::To(Dialect::Spring)),
            "connect" => Ok(DeadLetters::To(Dialect::Connect)),
            _ => Err(self.is_not("`switchboard`, `spring`, `connect` or `off`")),
        }
    }

    fn is_not(&self, expected: &'static str) -> UrlError {
        UrlError::Value { name: self.name.clone(), value: self.value.clone(), expected }
    }
}

const TIME: &str = "a number with `ms`, `s` or `m`";

fn identity(options: &mut Options) -> &mut (std::path::PathBuf, std::path::PathBuf) {
    options.tls.get_or_insert_with(Tls::default).identity.get_or_insert_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_place() {
        let options = parse(
            "kafka://ann:p%40ss@one,two:9093,[::1]:9094/?client_id=shop&prefix=shop.&replication=2\
             &compression=zstd&linger=0ms&delivery_limit=5s&buffer_bytes=1000\
             &max_message_bytes=2000&commit_every=250ms&drain=1m&session=6s&heartbeat=1s\
             &dead_letters=spring&tail=9&ca=%2Fca.pem&certificate=c.pem&key=k.pem\
             &mechanism=scram-sha-512",
        )
        .expect("a URL");
        assert_eq!(options.bootstrap, "one:9092,two:9093,[::1]:9094");
        assert_eq!((&*options.client_id, &*options.prefix), ("shop", "shop."));
        assert_eq!((options.replication, options.compression), (Some(2), Compression::Zstd));
        assert_eq!(options.linger, Duration::ZERO);
        assert_eq!(options.delivery_limit, Duration::from_secs(5));
        assert_eq!((options.buffer_bytes, options.max_message_bytes), (1000, 2000));
        assert_eq!(options.commit_every, Duration::from_millis(250));
        assert_eq!(options.drain, Duration::from_secs(60));
        assert_eq!(options.session, Duration::from_secs(6));
        assert_eq!(options.dead_letters, DeadLetters::To(Dialect::Spring));
        assert_eq!(options.tail, 9);
        let tls = options.tls.as_ref().expect("TLS");
        assert_eq!(tls.ca.as_deref(), Some("/ca.pem".as_ref()));
        assert_eq!(tls.identity, Some(("c.pem".into(), "k.pem".into())));
        let sasl = options.sasl.as_ref().expect("a user");
        assert_eq!((&*sasl.user, &*sasl.password), ("ann", "p@ss"));
        assert_eq!(sasl.mechanism, Mechanism::ScramSha512);
        assert!(!format!("{options:?}").contains("p@ss"), "a password is not shown");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("http://one", "`kafka://host:port`"),
            ("kafka://", "`kafka://host:port`"),
            ("kafka://one,,two", "`kafka://host:port`"),
            ("kafka://one/path", "`kafka://host:port`"),
            ("kafka://one?color=red", "no setting `color`"),
            ("kafka://one?linger=5", "`linger` is `5`, which is not a number with `ms`"),
            ("kafka://one?replication=70000", "`replication` is `70000`"),
            ("kafka://one?prefix=%zz", "`prefix` is `%zz`"),
            ("kafka://one?mechanism=plain", "of use without `user:password@`"),
            ("kafka://one?compression=rar", "`lz4`, `zstd` or `none`"),
        ];
        for (url, expected) in cases {
            let error = parse(url).expect_err(url).to_string();
            assert!(error.contains(expected), "{url}: {error}");
        }
    }
}
