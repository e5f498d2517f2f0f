//! SQLite: a file for each service in the data folder.

use std::path::Path;
use std::sync::Arc;

use switchboard_core::{Clock, Rng};
use switchboard_store::Store;
use switchboard_store_sqlite::{Options, SqliteStore};

use crate::platform::StartError;
use crate::topology::Service;

/// The write-ahead file of each store. Six of them are mapped and cached at the same time, so each
/// is a quarter of the store's own default.
const WAL_BYTES: u64 = 2 << 20;

/// Opens the stores side by side.
pub(super) async fn open(
    folder: &Path,
    services: &[Service],
    clock: &Arc<dyn Clock>,
    rng: &mut Rng,
) -> Result<Vec<Arc<dyn Store>>, StartError> {
    let opening: Vec<_> = services
        .iter()
        .map(|service| {
            let (path, name) = (folder.join(service.file), service.name);
            let options = Options::new(path, name, clock.clone(), rng.fork())
                .with_tables(service.tables)
                .with_wal_bytes(WAL_BYTES);
            tokio::task::spawn_blocking(move || {
                SqliteStore::open(options)
                    .map(|store| Arc::new(store) as Arc<dyn Store>)
                    .map_err(|source| StartError::Store { name, source: Box::new(source) })
            })
        })
        .collect();
    let mut stores = Vec::new();
    for store in opening {
        stores.push(store.await.map_err(StartError::crashed)??);
    }
    Ok(stores)
}
