//! The mail server that letters leave the shop by, as settings name it.

use std::fmt;
use std::sync::Arc;

use shop_edge::Process;
use shop_notifications::mail::{Address, Courier};

use crate::platform::StartError;
use crate::settings::Settings;

/// What can be named as a mail server.
pub(crate) const EXPECTED: &str = "smtp://HOST:PORT or smtps://HOST:PORT, without user and \
                                   password";
/// Who writes letters, unless somebody says.
pub(crate) const FROM: &str = "shop@localhost";
/// Where the user's name is looked for.
const USER: &str = "SWITCHBOARD_SMTP_USER";
/// Where the password is looked for; never in a file or on a command line, which others can see.
const PASSWORD: &str = "SWITCHBOARD_SMTP_PASSWORD";

/// A mail server and who writes; nothing is connected yet.
#[derive(Clone, Default)]
pub struct Mail {
    server: Option<Address>,
    from: Option<String>,
    login: Option<(String, String)>,
}

/// Only what is a mail server's address is kept.
pub(crate) fn parse(text: &str) -> Option<String> {
    text.parse::<Address>().ok().map(|_| text.to_owned())
}

/// The same process, with a courier if there is one.
pub(crate) fn with_courier(process: Process, courier: Option<&Arc<dyn Courier>>) -> Process {
    match courier {
        Some(courier) => process.with_extra(courier.clone()),
        None => process,
    }
}

// === impl Mail ===

impl Mail {
    /// As the settings and this process's environment say.
    ///
    /// # Errors
    /// [`StartError::Mail`], which says what is missing or cannot be.
    pub fn of(settings: &Settings) -> Result<Self, StartError> {
        Self::in_environment(settings, &|name| std::env::var(name).ok())
    }

    fn in_environment(
        settings: &Settings,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, StartError> {
        let Some(url) = &settings.smtp.value else { return Ok(Self::default()) };
        let server: Address = url.parse().map_err(|source| StartError::Mail(Box::new(source)))?;
        let from = settings.smtp_from.value.clone();
        if from.is_none() && !server.is_local() {
            let why = "say who writes the letters, with --smtp-from NAME@HOST";
            return Err(StartError::Mail(why.into()));
        }
        let login = match (environment(USER), environment(PASSWORD)) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => {
                let why = format!("set both {USER} and {PASSWORD}, or neither");
                return Err(StartError::Mail(why.into()));
            }
        };
        Ok(Self { server: Some(server), from, login })
    }

    /// The courier; `None` when letters stay in the mailbox. Call it on a runtime.
    ///
    /// # Errors
    /// [`StartError::NotBuilt`], [`StartError::Mail`].
    pub(crate) fn courier(self) -> Result<Option<Arc<dyn Courier>>, StartError> {
        match self.server {
            None => Ok(None),
            Some(server) => courier(server, self.from.as_deref().unwrap_or(FROM), self.login),
        }
    }
}

#[cfg(feature = "smtp")]
fn courier(
    server: Address,
    from: &str,
    login: Option<(String, String)>,
) -> Result<Option<Arc<dyn Courier>>, StartError> {
    use shop_notifications::mail::smtp::Smtp;

    let smtp = Smtp::new(server, from, login).map_err(|source| StartError::Mail(source.into()))?;
    Ok(Some(Arc::new(smtp)))
}

#[cfg(not(feature = "smtp"))]
fn courier(
    _server: Address,
    _from: &str,
    _login: Option<(String, String)>,
) -> Result<Option<Arc<dyn Courier>>, StartError> {
    Err(StartError::NotBuilt("smtp"))
}

/// Without the password.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server.as_ref().map(ToString::to_string);
        f.debug_struct("Mail").field("server", &server).field("from", &self.from).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Flags;

    fn mail(variables: &[(&str, &str)]) -> Result<Mail, StartError> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, value)| (*value).to_owned())
                .or_else(|| (name == "HOME").then(|| "/home/ann".to_owned()))
        };
        let settings = Settings::resolve_in(&Flags::default(), &find).unwrap();
        Mail::in_environment(&settings, &find)
    }

    #[test]
    fn a_server_elsewhere_asks_who_writes_and_a_name_asks_for_its_password() {
        const SERVER: (&str, &str) = ("SWITCHBOARD_SMTP", "smtp://mail.example.org");
        const FROM: (&str, &str) = ("SWITCHBOARD_SMTP_FROM", "shop@example.org");
        assert!(mail(&[]).unwrap().courier().unwrap().is_none());
        let error = mail(&[SERVER]).unwrap_err();
        assert!(switchboard_core::chain(&error).contains("--smtp-from"), "{error}");
        let error = mail(&[SERVER, FROM, (USER, "shop")]).unwrap_err();
        assert!(switchboard_core::chain(&error).contains(PASSWORD), "{error}");
        let mail = mail(&[SERVER, FROM, (USER, "shop"), (PASSWORD, "secret")]).unwrap();
        assert!(!format!("{mail:?}").contains("secret"));
    }

    #[cfg(not(feature = "smtp"))]
    #[test]
    fn a_program_without_the_feature_names_it() {
        let mail = mail(&[("SWITCHBOARD_SMTP", "smtp://127.0.0.1:25")]).unwrap();
        let error = mail.courier().unwrap_err().to_string();
        assert!(error.contains("--features smtp"), "{error}");
    }
}
