//! One run of a play: everything that takes part lives in tasks, until the run is dropped.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use switchboard_relay::{Options, Relay};
use switchboard_saga::{Orchestrator, Phase};
use switchboard_store::{Journal, Unit};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::stage::{Seams, Stage};
use super::wire::Wire;

/// The only run of the saga in a play.
const ID: &str = "trial";
/// A saga that has come nowhere after this time never will.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// On paused time everything that can happen has happened after this.
const QUIET: Duration = Duration::from_secs(5);

pub(super) struct Run<S> {
    seams: Seams,
    stage: Stage<S>,
    saga_store: Option<Arc<dyn Journal>>,
    tasks: JoinSet<()>,
    /// Another process that runs the whole play too.
    other: JoinSet<()>,
}

// === impl Run ===

impl<S: Serialize + DeserializeOwned + Send + Sync + 'static> Run<S> {
    /// Sets the play up and lets everybody take their place.
    pub(super) async fn of<F: Fn(&Seams) -> Stage<S>>(play: &F) -> Self {
        let seams = Seams::new();
        let (stage, tasks) = process(&seams, play);
        // The first store that a play asks for is the saga's own.
        let saga_store = seams.stores().into_iter().next().map(|store| store as Arc<dyn Journal>);
        Self { seams, stage, saga_store, tasks, other: JoinSet::new() }
    }

    /// The same in two processes, each with everybody, once they have shared the work.
    pub(super) async fn of_two<F: Fn(&Seams) -> Stage<S>>(play: &F) -> Self {
        let seams = Seams::new();
        seams.enter_process("one");
        let (_, other) = process(&seams, play);
        tokio::time::sleep(Duration::from_secs(1)).await;
        seams.enter_process("two");
        let (stage, tasks) = process(&seams, play);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let saga_store = seams.stores().into_iter().next().map(|store| store as Arc<dyn Journal>);
        Self { seams, stage, saga_store, tasks, other }
    }

    /// The first process dies as soon as the broker was asked to publish this many records.
    pub(super) fn kill_other_after(&mut self, count: usize) {
        let (wire, dying) = (self.seams.wire.clone(), std::mem::take(&mut self.other));
        self.other.spawn(async move {
            wire.until_asked(count).await;
            drop(dying);
        });
    }

    pub(super) fn saga(&self) -> &Orchestrator<S> {
        &self.stage.saga
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.seams.wire
    }

    pub(super) async fn start(&mut self) {
        let unit = self.stage.saga.start(ID, &self.stage.input);
        self.commit(unit).await;
    }

    /// The operator has what is stuck tried again.
    pub(super) async fn retry(&mut self) {
        let unit = self.stage.saga.retry(ID, "the trial").await.expect("it is stuck");
        self.commit(unit).await;
    }

    async fn commit(&self, unit: Unit) {
        let store = self.saga_store.as_ref().expect("a play asks for the saga's store first");
        store.commit(unit).await.expect("the saga's store takes the unit");
    }

    /// Waits until the saga has ended or is stuck, and until nothing moves any more.
    pub(super) async fn must_end(&mut self, expected: Phase, when: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            tokio::time::sleep(QUIET).await;
            if let Some(Err(ended)) = self.tasks.try_join_next() {
                std::panic::resume_unwind(ended.into_panic());
            }
            let shown = self.stage.saga.load(ID).await.expect("the saga can be read");
            let phase = shown.expect("the saga has begun").run.state.phase;
            if phase.is_final() || matches!(phase, Phase::Stuck { .. }) {
                assert_eq!(phase, expected, "{when}");
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{when}: it never leaves {phase:?}");
        }
    }

    pub(super) async fn observed(&self) -> String {
        (self.stage.observe)().await
    }
}

/// Lets everybody of one process take their place.
fn process<S, F: Fn(&Seams) -> Stage<S>>(seams: &Seams, play: &F) -> (Stage<S>, JoinSet<()>) {
    let mut stage = play(seams);
    let mut tasks = JoinSet::new();
    for group in stage.groups.drain(..) {
        tasks.spawn(async move {
            let ended = group.run(CancellationToken::new()).await;
            panic!("a group has ended: {ended:?}");
        });
    }
    for store in seams.stores() {
        let options = Options { sharing: seams.sharing(), ..Options::default() };
        let relay = Relay::new(store, seams.broker.clone(), seams.clock.clone());
        let relay = relay.with_options(options);
        tasks.spawn(async move {
            let ended = relay.run(CancellationToken::new()).await;
            panic!("a relay has ended: {ended:?}");
        });
    }
    (stage, tasks)
}
