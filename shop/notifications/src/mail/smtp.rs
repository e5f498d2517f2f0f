//! The courier that speaks SMTP, over a few kept connections, each step bounded in time.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use switchboard_core::{BoxError, Timestamp};

use super::{Address, Courier, Parcel, Security, SendError};

/// Connections to the server at the same time.
const CONNECTIONS: u32 = 4;
/// An unused connection is closed after this time; servers do so after some minutes.
const IDLE: Duration = Duration::from_secs(30);
/// Each answer of the server may take so long.
const ANSWER: Duration = Duration::from_secs(20);
/// A letter as a whole, waiting for a connection included.
const LETTER: Duration = Duration::from_secs(90);
/// Answers that say something about the shop and nothing about the letter: who it is must be
/// proven, was not proven, or must be encrypted first.
const NOT_LET_IN: [u16; 5] = [454, 530, 534, 535, 538];

/// A mail server, and who writes.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    address: Address,
}

/// A courier that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpError {
    /// The sender is not an address.
    #[error("`{from}` cannot be the sender of letters: write name@host")]
    From {
        /// What was to be the sender.
        from: String,
        /// Why not.
        #[source]
        source: AddressError,
    },
    /// The authority's certificate cannot be used.
    #[error("{path} cannot be used as a certificate: it must be there, in PEM")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// The password would cross a network in the open.
    #[error("{0} is not protected: leave tls=none out, or send without user and password")]
    Open(Address),
    /// Encryption cannot be set up.
    #[error("encryption cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
}

// === impl Smtp ===

impl Smtp {
    /// Letters go to this server and come from this sender. Must be called on a tokio runtime;
    /// nothing is connected yet, so a server that is away does not matter.
    ///
    /// # Errors
    /// [`SmtpError`], whose text says what to do.
    pub fn new(
        address: Address,
        from: &str,
        login: Option<(String, String)>,
    ) -> Result<Self, SmtpError> {
        let from =
            from.parse().map_err(|source| SmtpError::From { from: from.to_owned(), source })?;
        if login.is_some() && address.security == Security::None && !address.is_local() {
            return Err(SmtpError::Open(address));
        }
        let host = address.host.trim_start_matches('[').trim_end_matches(']');
        let pool = PoolConfig::new().max_size(CONNECTIONS).idle_timeout(IDLE);
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(address.port)
            .timeout(Some(ANSWER))
            .pool_config(pool)
            .tls(match address.security {
                Security::None => Tls::None,
                Security::IfOffered => Tls::Opportunistic(parameters(&address, host)?),
                Security::Required => Tls::Required(parameters(&address, host)?),
                Security::Always => Tls::Wrapper(parameters(&address, host)?),
            });
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self { transport: builder.build(), from, address })
    }

    fn message(&self, parcel: &Parcel) -> Result<Message, SendError> {
        let wrong = |source: BoxError| SendError::NotAnAddress { to: parcel.to.clone(), source };
        let to = parcel.to.parse().map_err(|error: AddressError| wrong(error.into()))?;
        let id = format!("<{}@{}>", atom(&parcel.id), self.from.email.domain());
        Message::builder()
            .message_id(Some(id))
            .date(moment(parcel.at))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(parcel.subject.as_str())
            .header(ContentType::TEXT_PLAIN)
            .body(parcel.body.clone())
            .map_err(|error| wrong(error.into()))
    }
}

#[async_trait]
impl Courier for Smtp {
    async fn send(&self, parcel: &Parcel) -> Result<(), SendError> {
        let message = self.message(parcel)?;
        match tokio::time::timeout(LETTER, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(judged(&parcel.to, error)),
            Err(late) => Err(SendError::Unavailable(late.into())),
        }
    }
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Smtp({})", self.address)
    }
}

/// What an answer of the server means for the letter.
fn judged(to: &str, error: lettre::transport::smtp::Error) -> SendError {
    let code = error.status().map(u16::from);
    match code {
        Some(code) if NOT_LET_IN.contains(&code) => SendError::NotLetIn(error.into()),
        _ if error.is_permanent() => SendError::Refused { to: to.to_owned(), source: error.into() },
        _ => SendError::Unavailable(error.into()),
    }
}

fn parameters(address: &Address, host: &str) -> Result<TlsParameters, SmtpError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &address.ca {
        let unusable = |source: BoxError| SmtpError::Certificate { path: path.clone(), source };
        let pem = std::fs::read(path).map_err(|error| unusable(error.into()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unusable(error.into()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(SmtpError::Tls)
}

/// An id as the left side of a Message-ID takes it; different ids stay different.
fn atom(id: &str) -> String {
    let mut text = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(byte)),
            other => text.push_str(&format!("={other:02x}")),
        }
    }
    text
}

fn moment(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(address: &str, login: Option<(String, String)>) -> Result<Smtp, SmtpError> {
        Smtp::new(address.parse().unwrap(), "The shop <shop@example.org>", login)
    }

    fn parcel(to: &str) -> Parcel {
        Parcel {
            id: "o 1-completed".to_owned(),
            to: to.to_owned(),
            subject: "Für Sie\r\nBcc: everybody@example.org".to_owned(),
            body: "Grüße\n".to_owned(),
            at: Timestamp::from_micros(1_767_225_600_000_000),
        }
    }

    #[tokio::test]
    async fn a_letter_says_who_when_and_which_and_no_header_can_be_slipped_in() {
        let smtp = smtp("smtp://127.0.0.1:25", None).unwrap();
        let bytes = smtp.message(&parcel("ann@example.org")).unwrap().formatted();
        let text = String::from_utf8(bytes).unwrap();
        for line in [
            "Message-ID: <o=201-completed@example.org>\r\n",
            "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n",
            "To: ann@example.org\r\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc:")), "{text}");
    }

    #[tokio::test]
    async fn what_is_no_address_will_never_be_one() {
        let smtp = smtp("smtp://127.0.0.1:25", None).unwrap();
        let error = smtp.message(&parcel("nobody")).unwrap_err();
        assert!(matches!(error, SendError::NotAnAddress { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_password_does_not_cross_a_network_in_the_open() {
        let login = || Some(("shop".to_owned(), "secret".to_owned()));
        let error = smtp("smtp://mail.example.org?tls=none", login()).unwrap_err();
        assert!(matches!(error, SmtpError::Open(_)), "{error}");
        assert!(smtp("smtp://mail.example.org", login()).is_ok());
        assert!(smtp("smtp://127.0.0.1:25", login()).is_ok());
    }
}
