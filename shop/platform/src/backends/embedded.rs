//! The embedded broker: a log in the data folder.

use std::path::Path;
use std::sync::Arc;

use switchboard_core::Clock;
use switchboard_message_log::{LogBroker, Options};

use super::{BrokerUrl, Carrier, parts, probe};
use crate::platform::StartError;

/// Its folder in the data folder.
const LOG: &str = "log";

pub(super) async fn open(folder: &Path, clock: &Arc<dyn Clock>) -> Result<Carrier, StartError> {
    parts::require(folder, &[LOG])?;
    let options = Options::new(folder.join(LOG), clock.clone());
    let broker = tokio::task::spawn_blocking(move || LogBroker::open(options))
        .await
        .map_err(StartError::crashed)?
        .map_err(|source| StartError::Broker(source.into()))?;
    parts::remember(folder, &[LOG])?;
    let closed = broker.clone();
    let close = || async move { closed.close().await };
    let carrier = Carrier::new(BrokerUrl::Embedded, Arc::new(broker.clone()), close);
    let writes = probe(broker.log().clone(), |log| async move { log.can_write().await });
    Ok(Carrier { embedded: Some(broker), probe: Some(writes), ..carrier })
}
