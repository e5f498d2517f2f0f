//! One projection in several processes: whoever holds the lease writes, the others see how far it has come.

use std::time::Duration;

use switchboard_store::StoreError;
use switchboard_store::leases::Keeper;
use tokio_util::sync::CancellationToken;

use crate::{Error, Projection};

/// How often a process that does not hold the lease looks while it is behind: at first, and at
/// last. The holder's commits are rows alone, which nobody is told of.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

// === impl Projection ===

impl Projection {
    /// Follows the store while the lease is held, and its holder otherwise, until shutdown.
    pub(crate) async fn take_turns(
        &self,
        keeper: &Keeper,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut held = keeper.held();
        let result = loop {
            held.mark_unchanged();
            let lease = keeper.current();
            let working = async {
                match &lease {
                    Some(lease) => self.follow(Some(lease)).await,
                    None => self.follow_holder().await,
                }
            };
            let worked = tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ok(()),
                // The keeper is held, so its sender lives. Whatever was being done is void.
                _ = held.changed() => continue,
                worked = working => worked,
            };
            match (worked, &lease) {
                // Another process has the lease by now; or somebody has caught up by hand, and
                // the work goes on from there.
                (Err(Error::Elsewhere(_)), Some(lease)) => {
                    keeper.still(lease).await;
                }
                (worked, _) => break worked,
            }
        };
        if let Err(error) = keeper.leave().await {
            tracing::warn!(projection = %self.name, %error, "others wait for the lease to expire");
        }
        result
    }

    /// Notes how far the holder has come, for those who wait for it here.
    async fn follow_holder(&self) -> Result<(), Error> {
        let mut committed = self.store.watch();
        let mut wait = LOOKS.0;
        loop {
            let newest = *committed.borrow_and_update();
            let is_behind = match self.look().await {
                Ok(is_behind) => is_behind,
                Err(error) => {
                    tracing::warn!(projection = %self.name, %error, "trying again");
                    true
                }
            };
            if is_behind {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LOOKS.1);
                continue;
            }
            wait = LOOKS.0;
            self.reach(newest);
            if committed.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Whether there are events that the holder has not projected.
    async fn look(&self) -> Result<bool, StoreError> {
        let position = self.store.reading(&self.name).await?;
        self.reach(position);
        Ok(!self.store.events(position, 1).await?.is_empty())
    }
}
