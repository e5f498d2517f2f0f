//! The embedded broker: a log in the data folder.

use std::error::Error;
use std::io;
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
    let path = folder.join(LOG);
    let options = Options::new(&path, clock.clone());
    let broker = tokio::task::spawn_blocking(move || LogBroker::open(options))
        .await
        .map_err(StartError::crashed)?
        .map_err(|source| match is_of_the_disk(&source) {
            true => StartError::Unwritable(path, source.into()),
            false => StartError::Broker(source.into()),
        })?;
    parts::remember(folder, &[LOG])?;
    let closed = broker.clone();
    let close = || async move { closed.close().await };
    let carrier = Carrier::new(BrokerUrl::Embedded, Arc::new(broker.clone()), close);
    let writes = probe(broker.log().clone(), |log| async move { log.can_write().await });
    Ok(Carrier { embedded: Some(broker), probe: Some(writes), ..carrier })
}

/// Whether what lies behind an error is a disk that is full, or not to be written.
fn is_of_the_disk(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| {
            matches!(
                error.kind(),
                StorageFull | QuotaExceeded | PermissionDenied | ReadOnlyFilesystem
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_reason_for_a_backup() {
        let behind = |kind| StartError::Listen {
            address: ([127, 0, 0, 1], 1).into(),
            source: io::Error::from(kind),
        };
        assert!(is_of_the_disk(&behind(io::ErrorKind::StorageFull)));
        assert!(!is_of_the_disk(&behind(io::ErrorKind::InvalidData)));
    }
}
