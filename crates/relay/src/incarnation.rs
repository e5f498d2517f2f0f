//! Whether the store was put back to an older copy: then the broker knows messages of it that it does not know itself.
//!
//! Such a store would give sequences a second time that consumers have marked already, and its new messages would be taken for
//! duplicates. A new incarnation gives it new marks everywhere.

use std::collections::HashMap;

use switchboard_core::{BoxError, Name, Slot};
use switchboard_message::{Broker, Published};
use switchboard_store::{Store, StoreIdentity};

use crate::Error;

/// Begins a new incarnation if the broker is ahead of the store. Returns the store's identity.
///
/// Incarnations that the broker knows and the store does not are passed over as well: a copy may
/// be older than an earlier restore.
pub(crate) async fn check(store: &dyn Store, broker: &dyn Broker) -> Result<StoreIdentity, Error> {
    let mut identity = store.identity();
    let Some(inspect) = broker.inspect() else { return Ok(identity) };
    // The broker is asked first: a relay that publishes meanwhile can only make the store's
    // sequences newer than this answer.
    let published = inspect.published_by(&identity.source).await.map_err(Error::Broker)?;
    while is_ahead(&published, &identity, &sequences(store).await.map_err(Error::Store)?) {
        let former = identity.incarnation;
        identity = store.reincarnate().await.map_err(|error| Error::Store(error.into()))?;
        tracing::warn!(
            source = %identity.source,
            former,
            incarnation = identity.incarnation,
            "the broker knows messages that this store does not: it was put back to an older \
             copy, and begins a new incarnation"
        );
        if identity.incarnation <= former {
            return Err(Error::Store("the store did not begin a new incarnation".into()));
        }
    }
    Ok(identity)
}

async fn sequences(store: &dyn Store) -> Result<HashMap<(Name, Slot), u64>, BoxError> {
    let all = store.sequences().await?;
    Ok(all.into_iter().map(|one| ((one.topic, one.slot), one.last)).collect())
}

fn is_ahead(
    published: &[Published],
    identity: &StoreIdentity,
    own: &HashMap<(Name, Slot), u64>,
) -> bool {
    published.iter().any(|seen| {
        let known = || own.get(&(seen.topic.clone(), seen.slot)).copied().unwrap_or(0);
        seen.incarnation > identity.incarnation
            || (seen.incarnation == identity.incarnation && seen.sequence > known())
    })
}
