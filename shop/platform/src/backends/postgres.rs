//! PostgreSQL: a schema for each service in one database.

use std::sync::Arc;

use switchboard_core::{Clock, Rng};
use switchboard_store::Store;

use super::Engines;
use crate::platform::StartError;
use crate::topology::Service;

#[cfg(feature = "postgres")]
pub(super) async fn open(
    engines: &Engines,
    url: &str,
    services: &[Service],
    clock: &Arc<dyn Clock>,
    rng: &mut Rng,
    connections: Option<u32>,
) -> Result<Vec<Arc<dyn Store>>, StartError> {
    use switchboard_store_postgres::{Options, PostgresStore};

    let mut stores: Vec<Arc<dyn Store>> = Vec::new();
    for service in services {
        let options = Options::new(url, service.name, service.tables, clock.clone(), rng.fork())
            .with_schema(engines.namespace.schema(service.name));
        let options = match connections {
            Some(connections) => options.with_connections(connections),
            None => options,
        };
        let store = super::waiting::connect(&engines.store, "--store", engines.patience, || {
            PostgresStore::open(options.clone())
        });
        stores.push(Arc::new(store.await?));
    }
    Ok(stores)
}

#[cfg(not(feature = "postgres"))]
pub(super) async fn open(
    _engines: &Engines,
    _url: &str,
    _services: &[Service],
    _clock: &Arc<dyn Clock>,
    _rng: &mut Rng,
    _connections: Option<u32>,
) -> Result<Vec<Arc<dyn Store>>, StartError> {
    Err(StartError::NotBuilt("postgres"))
}
