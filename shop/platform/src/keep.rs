//! A service that lost its store to an outage begins again when the store is a server that comes back.
//!
//! A unit whose commit was cut off in the middle has happened or has not. A file would have to be opened again to know; a server is asked
//! again, by whatever is delivered, published or called once more.

use std::io;
use std::time::Duration;

use shop_edge::Deps;
use shop_edge::parts::has_lost_its_store;
use switchboard_core::{BoxError, chain};
use switchboard_store::Sharing;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::topology::Service;

/// Between two lives of a service.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs a service until shutdown, or until it fails for good.
///
/// # Errors
/// The failure of the service.
pub(crate) async fn kept(
    service: Service,
    listener: TcpListener,
    deps: Deps,
    shutdown: CancellationToken,
) -> Result<(), BoxError> {
    let (mut listener, spare) = doubled(listener)?;
    loop {
        // The port stays open all the time, so that callers wait a little and are not refused.
        let life = shutdown.child_token();
        let ended = (service.run)(listener, deps.clone(), life).await;
        let may_begin_again = deps.process.sharing() != Sharing::Alone;
        match ended {
            Err(error) if !shutdown.is_cancelled() && may_begin_again && has_lost(&error) => {
                let (service, error) = (service.name, chain(&*error));
                tracing::warn!(service, error, "lost its store, and begins again");
            }
            ended => return ended,
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
        listener = TcpListener::from_std(spare.try_clone()?)?;
    }
}

fn has_lost(error: &BoxError) -> bool {
    has_lost_its_store(&**error)
}

/// The listener twice: as it was, and to be had again.
fn doubled(listener: TcpListener) -> io::Result<(TcpListener, std::net::TcpListener)> {
    let spare = listener.into_std()?;
    Ok((TcpListener::from_std(spare.try_clone()?)?, spare))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use shop_edge::{Auth, Process};
    use switchboard_core::{Clock, Rng, SystemClock};
    use switchboard_message::MemoryBroker;
    use switchboard_store::MemoryStore;

    use super::*;
    use crate::topology;

    /// How often the service has begun.
    static LIVES: AtomicU32 = AtomicU32::new(0);

    fn deps(process: Process) -> Deps {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let rng = Rng::from_seed(1);
        Deps {
            store: Arc::new(MemoryStore::new("test", &[], clock.clone(), rng.clone())),
            broker: Arc::new(MemoryBroker::new(clock.clone())),
            auth: Arc::new(Auth::ephemeral(clock.clone()).unwrap()),
            clock,
            rng,
            process,
        }
    }

    /// Loses its store twice, and then ends as it should.
    fn service() -> Service {
        let [users, ..] = topology::services();
        let run = |listener: TcpListener, _: Deps, end: CancellationToken| {
            Box::pin(async move {
                listener.local_addr()?;
                if LIVES.fetch_add(1, Ordering::SeqCst) < 2 {
                    // As its parts do when one of them fails.
                    end.cancel();
                    let error = switchboard_relay::Error::StoreLost("cut off".into());
                    return Err::<(), BoxError>(error.into());
                }
                Ok(())
            }) as topology::Running
        };
        Service { run, ..users }
    }

    #[tokio::test]
    async fn a_service_that_lost_a_server_begins_again_on_its_port_and_one_with_a_file_does_not() {
        let shutdown = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alone = kept(service(), listener, deps(Process::default()), shutdown.clone()).await;
        assert!(has_lost(&alone.unwrap_err()) && LIVES.load(Ordering::SeqCst) == 1);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = deps(Process::one_of_many("test-1"));
        kept(service(), listener, shared, shutdown.clone()).await.unwrap();
        assert_eq!(LIVES.load(Ordering::SeqCst), 3);
        assert!(!shutdown.is_cancelled(), "the others go on");
    }
}
