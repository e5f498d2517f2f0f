//! Settings and where each came from: flags > `SWITCHBOARD_*` environment > `switchboard.toml` > defaults.
//!
//! Resolving is a pure function of its four sources, so `--print-config` shows exactly what a command would use.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use shop_gateway::Limits;

use crate::backends::{BROKERS, BrokerUrl, Engines, Namespace, PATIENCE, STORES, StoreUrl, masked};
use crate::edge::{self, Doors, Origins};
use crate::mail;
use crate::upstream::{self, Upstream};

/// The file that is read when no other is named, in the working folder.
pub const FILE: &str = "switchboard.toml";

/// Everything that can be set, with where it was set.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// Where the public port listens. Default `127.0.0.1:8080`; port 0 takes a free one.
    pub listen: Setting<SocketAddr>,
    /// The data folder. Default `switchboard` in the user's data directory.
    pub data: Setting<PathBuf>,
    /// Whether an address beyond this machine may be listened on. Default no.
    pub public: Setting<bool>,
    /// How traces look on stderr: `text` or `json`. Default `text`.
    pub traces: Setting<Traces>,
    /// The running platform, as operator commands reach it. Default: what the platform wrote into
    /// its data folder when it started.
    pub url: Setting<Option<String>>,
    /// The file with the operator's token. Default `operator-token` in the data folder.
    pub token_file: Setting<PathBuf>,
    /// The broker. Default `embedded`.
    pub broker: Setting<BrokerUrl>,
    /// The stores. Default `sqlite`.
    pub store: Setting<StoreUrl>,
    /// What stands in front of topics, groups and schemas, for several shops on one engine.
    /// Default nothing.
    pub namespace: Setting<Namespace>,
    /// How long an engine that does not answer is waited for at the start, in seconds. Default 60.
    pub engine_wait: Setting<u64>,
    /// Where the services listen, for a gateway in a process of its own. Default nowhere.
    pub upstream: Setting<Vec<Upstream>>,
    /// The mail server that letters leave the shop by. Default none: they stay in the mailbox.
    pub smtp: Setting<Option<String>>,
    /// Who writes them. Default `shop@localhost`, for a server on this machine.
    pub smtp_from: Setting<Option<String>>,
    /// The share of requests that the access log shows, 0 to 1. Default 0: failures only.
    pub access_sample: Setting<f64>,
    /// Whether it shows bodies, without secrets and personal data. Default no.
    pub access_bodies: Setting<bool>,
    /// How often one caller may call at the public port: `usual`, `off` or REQUESTS/SECONDS.
    /// Default `usual`: 6000/60, and 1200000/60 for callers of this machine.
    #[serde(serialize_with = "as_text")]
    pub rate_limit: Setting<Limits>,
    /// Whether gRPC describes the services to whoever asks at the public port. Default yes.
    pub grpc_reflection: Setting<bool>,
    /// Web pages of these origins may call by gRPC-Web. Default none but the shop's own.
    pub grpc_web_origins: Setting<Origins>,
}

/// A value and who set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting<T> {
    /// What is used.
    pub value: T,
    /// Who won.
    pub from: Origin,
}

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This variable.
    Environment(String),
    /// This file.
    File(PathBuf),
    /// Nobody.
    Default,
}

/// How traces look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Traces {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What the command line says about settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Flags {
    /// The data folder [default: `switchboard` in the user's data directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Settings are read from this file [default: ./switchboard.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How traces look on stderr
    #[arg(long, global = true, value_enum, value_name = "FORMAT", hide_short_help = true)]
    pub traces: Option<Traces>,
    /// Set by `up`.
    #[arg(skip)]
    pub listen: Option<SocketAddr>,
    /// Set by `up`.
    #[arg(skip)]
    pub public: Option<bool>,
    /// Set by commands that call a running platform.
    #[arg(skip)]
    pub url: Option<String>,
    /// Set by commands that call a running platform as the operator.
    #[arg(skip)]
    pub token_file: Option<PathBuf>,
    /// Set by commands that run services.
    #[arg(skip)]
    pub engines: EngineFlags,
    /// Set by `serve`.
    #[arg(skip)]
    pub upstream: Option<Vec<Upstream>>,
}

/// What the command line says about engines.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct EngineFlags {
    /// The broker: embedded, kafka://HOST:PORT or amqp://USER:PASSWORD@HOST:PORT/VHOST
    /// [default: embedded]
    #[arg(long, value_name = "URL")]
    pub broker: Option<BrokerUrl>,
    /// The stores: sqlite or postgres://USER:PASSWORD@HOST:PORT/DATABASE [default: sqlite]
    #[arg(long, value_name = "URL")]
    pub store: Option<StoreUrl>,
    /// Stands in front of topics, groups and schemas, for several shops on one engine
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub namespace: Option<Namespace>,
    /// How long an engine that does not answer is waited for at the start [default: 60]
    #[arg(long, value_name = "SECONDS", hide_short_help = true)]
    pub engine_wait: Option<u64>,
    /// Letters leave the shop by this mail server: smtp://HOST:PORT or smtps://HOST:PORT; user and
    /// password come from SWITCHBOARD_SMTP_USER and SWITCHBOARD_SMTP_PASSWORD
    #[arg(long, value_name = "URL")]
    pub smtp: Option<String>,
    /// Who writes the letters (default: shop@localhost, for a mail server on this machine)
    #[arg(long, value_name = "ADDRESS", hide_short_help = true)]
    pub smtp_from: Option<String>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The text is not such a value.
    #[error("{origin}: `{text}` is not a value for `{name}`: {expected}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Who set it.
        origin: Origin,
        /// What was set.
        text: String,
        /// What could have been set.
        expected: &'static str,
    },
    /// The file has a name that nobody knows.
    #[error("{file} sets `{name}`, which is not a setting; there are: {known}")]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The file cannot be read.
    #[error("{file} cannot be read")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{file} is not TOML")]
    NotToml {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// No folder was named and there is no home to put one into.
    #[error("there is no home directory for the data: name a folder with --data DIR")]
    NoHome,
}

const NAMES: [&str; 18] = [
    "listen",
    "data",
    "public",
    "traces",
    "url",
    "token_file",
    "broker",
    "store",
    "namespace",
    "engine_wait",
    "upstream",
    "smtp",
    "smtp_from",
    "access_sample",
    "access_bodies",
    "rate_limit",
    "grpc_reflection",
    "grpc_web_origins",
];

/// What a setting can be looked up in.
struct Sources<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    file: Option<(PathBuf, toml::Table)>,
}

// === impl Settings ===

impl Settings {
    /// What the command line, this process's environment and the file come to.
    ///
    /// # Errors
    /// [`Invalid`], naming who set what cannot be used.
    pub fn resolve(flags: &Flags) -> Result<Self, Invalid> {
        Self::resolve_in(flags, &|name| std::env::var(name).ok())
    }

    /// The same in another environment.
    ///
    /// # Errors
    /// As [`Settings::resolve`].
    pub fn resolve_in(
        flags: &Flags,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Invalid> {
        let named =
            flags.config.clone().or_else(|| environment("SWITCHBOARD_CONFIG").map(Into::into));
        let sources = Sources { environment, file: read(named)? };
        let data =
            sources.find("data", flags.data.clone(), "a folder", |text| Some(text.into()))?;
        let data = match data {
            Some(data) => data,
            None => Setting { value: default_data(environment)?, from: Origin::Default },
        };
        let listen = sources.find("listen", flags.listen, "use HOST:PORT", |it| it.parse().ok())?;
        let public = sources.find("public", flags.public, "true or false", |it| it.parse().ok())?;
        let traces = sources.find("traces", flags.traces, "text or json", Traces::parse)?;
        let url = sources.find("url", flags.url.clone(), "http://HOST:PORT", parse_url)?;
        let token = flags.token_file.clone();
        let token = sources.find("token_file", token, "a file", |text| Some(text.into()))?;
        let token = token.unwrap_or_else(|| Setting {
            value: data.value.join("operator-token"),
            from: Origin::Default,
        });
        let EngineFlags { broker, store, namespace, engine_wait, smtp, smtp_from } =
            flags.engines.clone();
        let broker = sources.find("broker", broker, BROKERS, |it| it.parse().ok())?;
        let store = sources.find("store", store, STORES, |it| it.parse().ok())?;
        let wanted = "up to 30 of a-z, 0-9 and _, a letter first";
        let namespace = sources.find("namespace", namespace, wanted, |it| it.parse().ok())?;
        let wait = sources.find("engine_wait", engine_wait, "seconds", |it| it.parse().ok())?;
        let upstream = flags.upstream.clone();
        let upstream = sources.find("upstream", upstream, upstream::EXPECTED, upstream::parse)?;
        let smtp = sources.find("smtp", smtp, mail::EXPECTED, mail::parse)?;
        let smtp_from = sources.find("smtp_from", smtp_from, "an address", |it| Some(it.into()))?;
        let access_sample = sources.find("access_sample", None, edge::SHARE, edge::share)?;
        let access_bodies =
            sources.find("access_bodies", None, "true or false", |it| it.parse().ok())?;
        let rate_limit = sources.find("rate_limit", None, edge::LIMITS, |it| it.parse().ok())?;
        let reflection =
            sources.find("grpc_reflection", None, "true or false", |it| it.parse().ok())?;
        let origins =
            sources.find("grpc_web_origins", None, edge::ORIGINS, |it| it.parse().ok())?;
        let doors = Doors::default();
        Ok(Self {
            access_sample: Setting::or(access_sample, doors.access_sample),
            access_bodies: Setting::or(access_bodies, doors.access_bodies),
            rate_limit: Setting::or(rate_limit, doors.rate_limit),
            grpc_reflection: Setting::or(reflection, doors.grpc_reflection),
            grpc_web_origins: Setting::or(origins, doors.grpc_web_origins),
            smtp: Setting::or(smtp.map(Setting::some), None),
            smtp_from: Setting::or(smtp_from.map(Setting::some), None),
            broker: Setting::or(broker, BrokerUrl::default()),
            store: Setting::or(store, StoreUrl::default()),
            namespace: Setting::or(namespace, Namespace::default()),
            engine_wait: Setting::or(wait, PATIENCE.as_secs()),
            upstream: Setting::or(upstream, Vec::new()),
            listen: listen.unwrap_or_else(|| Setting {
                value: SocketAddr::from(([127, 0, 0, 1], 8080)),
                from: Origin::Default,
            }),
            data: data.absolute(),
            public: public.unwrap_or(Setting { value: false, from: Origin::Default }),
            traces: traces.unwrap_or(Setting { value: Traces::Text, from: Origin::Default }),
            url: url.map_or(Setting { value: None, from: Origin::Default }, Setting::some),
            token_file: token.absolute(),
        })
    }

    /// One row per setting: name, value, and who set it.
    pub fn rows(&self) -> Vec<[String; 3]> {
        let row =
            |name: &str, value: String, from: &Origin| [name.to_owned(), value, from.to_string()];
        let url =
            self.url.value.clone().unwrap_or_else(|| "(the one in the data folder)".to_owned());
        vec![
            row("listen", self.listen.value.to_string(), &self.listen.from),
            row("data", self.data.value.display().to_string(), &self.data.from),
            row("public", self.public.value.to_string(), &self.public.from),
            row("traces", self.traces.value.as_str().to_owned(), &self.traces.from),
            row("url", url, &self.url.from),
            row("token_file", self.token_file.value.display().to_string(), &self.token_file.from),
            row("broker", self.broker.value.to_string(), &self.broker.from),
            row("store", self.store.value.to_string(), &self.store.from),
            row("namespace", self.namespace.value.to_string(), &self.namespace.from),
            row("engine_wait", format!("{} s", self.engine_wait.value), &self.engine_wait.from),
            row("upstream", upstream::show(&self.upstream.value), &self.upstream.from),
            row("smtp", shown(&self.smtp.value, "(none)"), &self.smtp.from),
            row("smtp_from", shown(&self.smtp_from.value, mail::FROM), &self.smtp_from.from),
            row("access_sample", self.access_sample.value.to_string(), &self.access_sample.from),
            row("access_bodies", self.access_bodies.value.to_string(), &self.access_bodies.from),
            row("rate_limit", self.rate_limit.value.to_string(), &self.rate_limit.from),
            row(
                "grpc_reflection",
                self.grpc_reflection.value.to_string(),
                &self.grpc_reflection.from,
            ),
            row(
                "grpc_web_origins",
                self.grpc_web_origins.value.to_string(),
                &self.grpc_web_origins.from,
            ),
        ]
    }

    /// The file that some of these settings are from.
    pub fn file(&self) -> Option<PathBuf> {
        let origins = [
            &self.listen.from,
            &self.data.from,
            &self.public.from,
            &self.traces.from,
            &self.url.from,
            &self.token_file.from,
            &self.broker.from,
            &self.store.from,
            &self.namespace.from,
            &self.engine_wait.from,
            &self.upstream.from,
            &self.smtp.from,
            &self.smtp_from.from,
            &self.access_sample.from,
            &self.access_bodies.from,
            &self.rate_limit.from,
            &self.grpc_reflection.from,
            &self.grpc_web_origins.from,
        ];
        origins.into_iter().find_map(|origin| match origin {
            Origin::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
            _ => None,
        })
    }

    /// The engines that these settings name.
    pub fn engines(&self) -> Engines {
        Engines {
            broker: self.broker.value.clone(),
            store: self.store.value.clone(),
            namespace: self.namespace.value.clone(),
            patience: Duration::from_secs(self.engine_wait.value),
        }
    }
}

fn read(named: Option<PathBuf>) -> Result<Option<(PathBuf, toml::Table)>, Invalid> {
    let is_named = named.is_some();
    let file = named.unwrap_or_else(|| PathBuf::from(FILE));
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => return Ok(None),
        Err(source) => return Err(Invalid::Unreadable { file, source }),
    };
    let table: toml::Table = toml::from_str(&text)
        .map_err(|source| Invalid::NotToml { file: file.clone(), source: Box::new(source) })?;
    if let Some(name) = table.keys().find(|name| !NAMES.contains(&name.as_str())) {
        let (name, known) = (name.clone(), NAMES.join(", "));
        return Err(Invalid::Unknown { file, name, known });
    }
    Ok(Some((file, table)))
}

/// `$XDG_DATA_HOME/switchboard`, or `~/.local/share/switchboard`.
fn default_data(environment: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, Invalid> {
    // The XDG specification asks to ignore a relative path.
    let folder = environment("XDG_DATA_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    let home = || {
        let home = environment("HOME").filter(|home| !home.is_empty())?;
        Some(Path::new(&home).join(".local/share"))
    };
    Ok(folder.or_else(home).ok_or(Invalid::NoHome)?.join("switchboard"))
}

/// A setting whose value has no form of its own in JSON.
fn as_text<S: serde::Serializer>(
    setting: &Setting<Limits>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let Setting { value, from } = setting;
    Setting { value: value.to_string(), from: from.clone() }.serialize(serializer)
}

fn shown(value: &Option<String>, none: &str) -> String {
    value.clone().unwrap_or_else(|| none.to_owned())
}

fn parse_url(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let uri: http::Uri = text.parse().ok()?;
    (uri.scheme_str() == Some("http") && uri.authority().is_some()).then(|| text.to_owned())
}

/// A value of the file as a variable would say it: a list is its texts, one after another.
fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(all) => all.iter().map(text_of).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

// === impl Sources ===

impl Sources<'_> {
    fn find<T>(
        &self,
        name: &'static str,
        flag: Option<T>,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Setting<T>>, Invalid> {
        if let Some(value) = flag {
            return Ok(Some(Setting { value, from: Origin::Flag }));
        }
        let variable = format!("SWITCHBOARD_{}", name.to_uppercase());
        let (text, from) = if let Some(text) = (self.environment)(&variable) {
            (text, Origin::Environment(variable))
        } else if let Some((file, value)) =
            self.file.as_ref().and_then(|(file, table)| Some((file, table.get(name)?)))
        {
            let text = text_of(value);
            (text, Origin::File(file.clone()))
        } else {
            return Ok(None);
        };
        match parse(&text) {
            Some(value) => Ok(Some(Setting { value, from })),
            None => Err(Invalid::Value { name, origin: from, text: masked(&text), expected }),
        }
    }
}

// === impl Setting ===

impl<T> Setting<T> {
    /// What was found, or the default.
    fn or(found: Option<Self>, default: T) -> Self {
        found.unwrap_or(Self { value: default, from: Origin::Default })
    }

    fn some(self) -> Setting<Option<T>> {
        Setting { value: Some(self.value), from: self.from }
    }
}

impl Setting<PathBuf> {
    /// The same path, wherever the program is run from: it is printed for people to copy.
    fn absolute(self) -> Self {
        Self { value: std::path::absolute(&self.value).unwrap_or(self.value), from: self.from }
    }
}

// === impl Traces ===

impl Traces {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl From<Traces> for switchboard_telemetry::Format {
    fn from(traces: Traces) -> Self {
        match traces {
            Traces::Text => Self::Text,
            Traces::Json => Self::Json,
        }
    }
}

// === impl Origin ===

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
