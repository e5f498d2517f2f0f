//! What the services stand on in one process: a SQLite store each, and the embedded broker that they share.

use std::path::Path;
use std::sync::Arc;

use switchboard_core::{Clock, Rng};
use switchboard_message::{Broker, Topology};
use switchboard_message_log::LogBroker;
use switchboard_store::Store;
use switchboard_store_sqlite::SqliteStore;

use crate::platform::StartError;
use crate::topology::Service;

/// The write-ahead file of each store. Six of them are mapped and cached at the same time, so each
/// is a quarter of the store's own default.
const WAL_BYTES: u64 = 2 << 20;

/// The opened engines.
#[derive(Clone, Debug)]
pub(crate) struct Engines {
    pub(crate) broker: LogBroker,
    /// In the order of the services.
    pub(crate) stores: Vec<Arc<dyn Store>>,
}

/// Opens everything in a data folder, stores side by side, and declares the topics.
pub(crate) async fn open(
    folder: &Path,
    services: &[Service],
    clock: &Arc<dyn Clock>,
    rng: &mut Rng,
) -> Result<Engines, StartError> {
    let opening: Vec<_> = services
        .iter()
        .map(|service| {
            let path = folder.join(service.file);
            let options = switchboard_store_sqlite::Options::new(
                path,
                service.name,
                clock.clone(),
                rng.fork(),
            )
            .with_tables(service.tables)
            .with_wal_bytes(WAL_BYTES);
            let name = service.name;
            tokio::task::spawn_blocking(move || {
                SqliteStore::open(options)
                    .map(|store| Arc::new(store) as Arc<dyn Store>)
                    .map_err(|source| StartError::Store { name, source: Box::new(source) })
            })
        })
        .collect();
    let options = switchboard_message_log::Options::new(folder.join("log"), clock.clone());
    let broker = tokio::task::spawn_blocking(move || LogBroker::open(options));
    let mut stores = Vec::new();
    for store in opening {
        stores.push(store.await.map_err(StartError::crashed)??);
    }
    let broker = broker
        .await
        .map_err(StartError::crashed)?
        .map_err(|source| StartError::Broker(source.into()))?;
    let topology = Topology::of(services.iter().flat_map(|service| (service.topics)()));
    broker.declare(&topology).await.map_err(|source| StartError::Broker(source.into()))?;
    Ok(Engines { broker, stores })
}
