//! SQLite: a file for each service in the data folder.

use std::path::Path;
use std::sync::Arc;

use switchboard_core::{Clock, Rng};
use switchboard_store_sqlite::{Options, SqliteStore};

use super::parts;
use crate::backup::StoreFile;
use crate::platform::StartError;
use crate::topology::Service;

/// The write-ahead file of each store. Seven of them are mapped and cached at the same time, so each
/// is a quarter of the store's own default.
const WAL_BYTES: u64 = 2 << 20;

/// How the store of a service is opened in a data folder.
pub(crate) fn options(
    folder: &Path,
    service: &Service,
    clock: &Arc<dyn Clock>,
    rng: &mut Rng,
) -> Options {
    Options::new(folder.join(service.file), service.name, clock.clone(), rng.fork())
        .with_tables(service.tables)
        .with_wal_bytes(WAL_BYTES)
}

/// Opens the stores side by side.
pub(crate) async fn open(
    folder: &Path,
    services: &[Service],
    clock: &Arc<dyn Clock>,
    rng: &mut Rng,
) -> Result<Vec<StoreFile>, StartError> {
    let files: Vec<_> = services.iter().map(|service| service.file).collect();
    parts::require(folder, &files)?;
    let opening: Vec<_> = services
        .iter()
        .map(|of| {
            let (service, file) = (of.name, of.file);
            let options = options(folder, of, clock, rng);
            tokio::task::spawn_blocking(move || match SqliteStore::open(options) {
                Ok(store) => Ok(StoreFile { service, file, store }),
                Err(source) => Err(StartError::Store { name: service, source: Box::new(source) }),
            })
        })
        .collect();
    let mut stores = Vec::new();
    for store in opening {
        stores.push(store.await.map_err(StartError::crashed)??);
    }
    parts::remember(folder, &files)?;
    Ok(stores)
}
