//! Calling a running platform as its operator.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;
use switchboard_core::BoxError;

pub use shop_edge::links::segment;

use crate::folder;
use crate::load::Client;
use crate::load::client::Call;
use crate::settings::{Origin, Settings};

/// A running platform, and the right to operate it.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    url: String,
    token: String,
    /// Where the token is from.
    path: String,
}

/// It cannot be reached, or does not let us in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// Nobody answers.
    #[error("no platform answers at {url}: start one with `switchboard up`, or name it with --url")]
    Away {
        /// Where it was looked for.
        url: String,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// The token cannot be read.
    #[error(
        "cannot read the operator's token from {path}: name the file with --token-file, or the \
         folder with --data"
    )]
    NoToken {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The token is another platform's.
    #[error(
        "the platform at {url} does not know the token in {path}: name its own with --token-file \
         or --data"
    )]
    WrongToken {
        /// The platform.
        url: String,
        /// The file.
        path: String,
    },
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

// === impl Remote ===

impl Remote {
    /// The platform that these settings name, with the operator's token.
    ///
    /// # Errors
    /// [`RemoteError`], which says what to do.
    pub fn of(settings: &Settings) -> Result<Self, RemoteError> {
        let file = &settings.token_file.value;
        let (url, path) = (url(settings), file.display().to_string());
        match std::fs::read_to_string(file) {
            Ok(token) => {
                let (client, token) = (Client::new(&url), token.trim().to_owned());
                Ok(Self { client, url, token, path })
            }
            Err(source) => Err(RemoteError::NoToken { path, source }),
        }
    }

    /// Reads.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn get(&self, path: &str) -> Result<Value, RemoteError> {
        self.call(Method::GET, path, None).await
    }

    /// Orders.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn post(&self, path: &str, body: Option<Value>) -> Result<Value, RemoteError> {
        self.call(Method::POST, path, body).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, RemoteError> {
        let call = Call { token: Some(&self.token), body, ..Call::default() };
        let answer = self.client.call(method, path, &call);
        let answer = tokio::time::timeout(Duration::from_secs(10), answer).await;
        let away = |source| RemoteError::Away { url: self.url.clone(), source };
        let answer = answer.map_err(|late| away(late.into()))?.map_err(|it| away(it.into()))?;
        match answer.status {
            status if status.is_success() => Ok(answer.body),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(RemoteError::WrongToken { url: self.url.clone(), path: self.path.clone() })
            }
            status => {
                let detail = answer.body["detail"].as_str().map(str::to_owned);
                Err(RemoteError::Refused(detail.unwrap_or_else(|| status.to_string())))
            }
        }
    }
}

/// Where the platform is: as set, or as it wrote into its data folder, or where it would be.
pub fn url(settings: &Settings) -> String {
    if let Some(url) = &settings.url.value {
        return url.clone();
    }
    // Somebody who names a port means it, even if another platform runs on the folder.
    let announced = match settings.listen.from {
        Origin::Default => folder::address(&settings.data.value),
        _ => None,
    };
    announced.unwrap_or_else(|| format!("http://{}", settings.listen.value))
}
