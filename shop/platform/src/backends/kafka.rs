//! Apache Kafka as the broker.

use super::{Carrier, Engines};
use crate::platform::StartError;

#[cfg(feature = "kafka")]
pub(super) async fn open(engines: &Engines, url: &str) -> Result<Carrier, StartError> {
    use std::sync::Arc;

    use switchboard_message_kafka::{KafkaBroker, Options};

    let options = Options::from_url(url).map_err(|error| StartError::Engine {
        engine: engines.broker.to_string(),
        flag: "--broker",
        source: error.into(),
    })?;
    // Its own prefix does what `Namespaced` does, and other shops' topics are not even listed.
    let prefix = format!("{}{}", options.prefix, engines.namespace.prefix());
    let options = options.with_prefix(prefix);
    let broker = super::waiting::connect(&engines.broker, "--broker", engines.patience, || {
        KafkaBroker::connect(options.clone())
    })
    .await?;
    let broker = Arc::new(broker);
    let closed = broker.clone();
    Ok(Carrier::new(engines.broker.clone(), broker, || async move { closed.close().await }))
}

#[cfg(not(feature = "kafka"))]
pub(super) async fn open(_engines: &Engines, _url: &str) -> Result<Carrier, StartError> {
    Err(StartError::NotBuilt("kafka"))
}
