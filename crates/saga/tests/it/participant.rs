//! The other side: an effect happens once, whatever arrives how often, in whichever order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value as Json, json};
use switchboard_core::{Envelope, ManualClock, Position, Rng, Verdict};
use switchboard_handler::Failure;
use switchboard_saga::{Action, Answer, EFFECTS, Outcome, Participant, Reply};
use switchboard_store::{Column, CommitError, Journal, MemoryStore, Outbox, Rows, Table, Unit};

/// How many rooms are taken.
static ROOMS: Table = Table { name: "rooms", columns: &[Column::integer("taken")], indexes: &[] };

struct Hotel {
    store: Arc<MemoryStore>,
    participant: Participant,
    /// How often the work itself was called.
    worked: AtomicU32,
    seen: Position,
}

type Worked = Result<Answer, Failure>;

fn taken(by: i64) -> Worked {
    let unit = Unit::new().add(&ROOMS, "all", "taken", by);
    Ok(Answer::Done { unit, reply: json!({ "room": 101 }) })
}

fn full() -> Worked {
    Ok(Answer::Rejected { unit: Unit::new(), reason: "full".to_owned() })
}

impl Hotel {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = MemoryStore::new("hotel", &[&ROOMS, &EFFECTS], clock, Rng::from_seed(1));
        let store = Arc::new(store);
        let participant = Participant::new(store.clone());
        Self { store, participant, worked: AtomicU32::new(0), seen: Position::START }
    }

    fn command(action: Action, epoch: u32) -> Envelope {
        let (clock, mut rng) = (ManualClock::default(), Rng::from_seed(u64::from(epoch)));
        Envelope::new("hotel", "hotel.command", "trips", &clock, &mut rng)
            .with_header("saga", "trip")
            .with_header("saga-instance", "t1")
            .with_header("saga-step", "room")
            .with_header("saga-epoch", epoch.to_string())
            .with_header("saga-action", action.as_str())
            .with_header("reply-to", "trips.replies")
    }

    /// The unit that a command leads to.
    async fn unit(&self, action: Action, epoch: u32, answer: Worked) -> Result<Unit, Failure> {
        let command = Self::command(action, epoch);
        let work = || async {
            self.worked.fetch_add(1, Ordering::SeqCst);
            answer
        };
        match action {
            Action::Do => self.participant.perform(&command, work).await,
            Action::Undo => self.participant.undo(&command, work).await,
        }
    }

    /// A command from its arrival to its answer.
    async fn asked(&mut self, action: Action, epoch: u32, answer: Worked) -> Reply {
        let unit = self.unit(action, epoch, answer).await.unwrap();
        self.store.commit(unit).await.unwrap();
        let outgoing = self.store.outgoing(self.seen, 10).await.unwrap();
        assert_eq!(outgoing.len(), 1, "each command is answered once");
        self.seen = outgoing[0].position;
        let envelope = &outgoing[0].envelope;
        assert_eq!((&*envelope.topic, &*envelope.kind), ("trips.replies", "saga.reply"));
        assert_eq!(envelope.key.as_ref().unwrap().to_string(), "t1", "keyed by the run");
        let reply: Reply = envelope.message().unwrap();
        assert_eq!((reply.action, reply.epoch), (action, epoch), "the question at hand");
        assert_eq!((&*reply.saga, &*reply.instance, &*reply.step), ("trip", "t1", "room"));
        reply
    }

    async fn taken(&self) -> i64 {
        self.store.row(&ROOMS, "all").await.unwrap().map_or(0, |row| row.integer("taken"))
    }

    fn worked(&self) -> u32 {
        self.worked.load(Ordering::SeqCst)
    }
}

fn said(reply: &Reply) -> (Outcome, Option<&str>) {
    (reply.outcome, reply.reason.as_deref())
}

#[tokio::test]
async fn a_repeat_gets_the_same_answer_and_does_nothing() {
    let mut hotel = Hotel::new();
    let first = hotel.asked(Action::Do, 1, taken(1)).await;
    assert_eq!((said(&first), &first.data), ((Outcome::Done, None), &json!({ "room": 101 })));
    for _ in 0..3 {
        assert_eq!(hotel.asked(Action::Do, 1, full()).await, first);
    }
    assert_eq!((hotel.taken().await, hotel.worked()), (1, 1));
}

/// What is done is done: another question about it gets the same answer as well.
#[tokio::test]
async fn a_done_step_is_not_done_again_by_a_higher_epoch() {
    let mut hotel = Hotel::new();
    hotel.asked(Action::Do, 1, taken(1)).await;
    let again = hotel.asked(Action::Do, 2, taken(1)).await;
    assert_eq!((again.outcome, hotel.taken().await), (Outcome::Done, 1));
}

#[tokio::test]
async fn a_refusal_is_remembered_until_somebody_asks_anew() {
    let mut hotel = Hotel::new();
    for _ in 0..2 {
        let reply = hotel.asked(Action::Do, 1, full()).await;
        assert_eq!((said(&reply), &reply.data), ((Outcome::Rejected, Some("full")), &Json::Null));
    }
    let repeat = hotel.asked(Action::Do, 1, taken(1)).await;
    assert_eq!(repeat.outcome, Outcome::Rejected, "a free room now changes no answer given before");
    assert_eq!((hotel.taken().await, hotel.worked()), (0, 1));
    let anew = hotel.asked(Action::Do, 2, taken(1)).await;
    assert_eq!((anew.outcome, hotel.taken().await), (Outcome::Done, 1));
}

#[tokio::test]
async fn a_terminal_failure_is_an_answer_and_kept() {
    let mut hotel = Hotel::new();
    let reply = hotel.asked(Action::Do, 1, Err(Failure::terminal("on fire"))).await;
    assert_eq!(said(&reply), (Outcome::Failed, Some("on fire")));
    let again = hotel.asked(Action::Do, 1, taken(1)).await;
    assert_eq!((again.outcome, hotel.taken().await), (Outcome::Failed, 0));
}

#[tokio::test]
async fn what_may_pass_by_itself_is_left_to_the_groups_retries() {
    let mut hotel = Hotel::new();
    for (failure, verdict) in
        [(Failure::retry("busy"), Verdict::Retry), (Failure::stuck("odd"), Verdict::Stuck)]
    {
        let failed = hotel.unit(Action::Do, 1, Err(failure)).await.unwrap_err();
        assert_eq!(failed.verdict, verdict);
    }
    let reply = hotel.asked(Action::Do, 1, taken(1)).await;
    assert_eq!((reply.outcome, hotel.taken().await), (Outcome::Done, 1), "nothing was kept");
}

#[tokio::test]
async fn an_undo_undoes_once() {
    let mut hotel = Hotel::new();
    hotel.asked(Action::Do, 1, taken(1)).await;
    for _ in 0..3 {
        let reply = hotel.asked(Action::Undo, 1, taken(-1)).await;
        assert_eq!(said(&reply), (Outcome::Done, None));
    }
    assert_eq!(hotel.taken().await, 0);
    let late = hotel.asked(Action::Do, 1, taken(1)).await;
    assert_eq!((late.outcome, hotel.taken().await), (Outcome::Done, 0), "the old answer");
}

#[tokio::test]
async fn an_undo_of_nothing_makes_a_late_do_a_no_op() {
    let mut hotel = Hotel::new();
    let reply = hotel.asked(Action::Undo, 1, taken(-1)).await;
    assert_eq!(said(&reply), (Outcome::Done, None));
    for _ in 0..2 {
        let late = hotel.asked(Action::Do, 1, taken(1)).await;
        assert_eq!(said(&late), (Outcome::Rejected, Some("undone_before")));
    }
    assert_eq!((hotel.taken().await, hotel.worked()), (0, 0));
}

#[tokio::test]
async fn an_undo_of_what_was_refused_has_nothing_to_do() {
    let mut hotel = Hotel::new();
    hotel.asked(Action::Do, 1, full()).await;
    let reply = hotel.asked(Action::Undo, 1, taken(-1)).await;
    assert_eq!((reply.outcome, hotel.taken().await, hotel.worked()), (Outcome::Done, 0, 1));
}

#[tokio::test]
async fn an_undo_that_failed_is_tried_again_by_a_higher_epoch_only() {
    let mut hotel = Hotel::new();
    hotel.asked(Action::Do, 1, taken(1)).await;
    let failed = hotel.asked(Action::Undo, 1, full()).await;
    assert_eq!(failed.outcome, Outcome::Rejected);
    assert_eq!(hotel.asked(Action::Undo, 1, taken(-1)).await, failed);
    assert_eq!(hotel.taken().await, 1);
    let retried = hotel.asked(Action::Undo, 2, taken(-1)).await;
    assert_eq!((retried.outcome, hotel.taken().await), (Outcome::Done, 0));
    let stale = hotel.asked(Action::Undo, 1, taken(-1)).await;
    assert_eq!((stale.outcome, hotel.taken().await), (Outcome::Done, 0));
}

/// Two copies of one command that are decided side by side cannot both be committed.
#[tokio::test]
async fn of_two_copies_decided_at_once_one_conflicts() {
    for action in [Action::Do, Action::Undo] {
        let hotel = Hotel::new();
        let first = hotel.unit(action, 1, taken(1)).await.unwrap();
        let second = hotel.unit(action, 1, taken(1)).await.unwrap();
        hotel.store.commit(first).await.unwrap();
        let conflict = hotel.store.commit(second).await;
        assert!(matches!(conflict, Err(CommitError::Conflict(_))), "{action:?}");
    }
    let hotel = Hotel::new();
    let undo = hotel.unit(Action::Undo, 1, taken(-1)).await.unwrap();
    let late = hotel.unit(Action::Do, 1, taken(1)).await.unwrap();
    hotel.store.commit(undo).await.unwrap();
    assert!(matches!(hotel.store.commit(late).await, Err(CommitError::Conflict(_))));
}

/// The effect, its memory and the answer are one unit: there is no moment with one of them only.
#[tokio::test]
async fn effect_memory_and_answer_are_one_unit() {
    let hotel = Hotel::new();
    let unit = hotel.unit(Action::Do, 1, taken(1)).await.unwrap();
    let tables: Vec<_> = unit.rows.iter().map(|op| op.table().name).collect();
    assert_eq!((tables, unit.messages.len()), (vec!["rooms", "effects"], 1));
}

#[tokio::test]
async fn a_command_that_no_saga_has_sent_is_refused_for_good() {
    let hotel = Hotel::new();
    let whole = Hotel::command(Action::Do, 1);
    for missing in ["saga", "saga-instance", "saga-step", "saga-epoch", "saga-action", "reply-to"] {
        let mut command = whole.clone();
        command.headers.remove(missing);
        let failed = hotel.participant.perform(&command, || async { taken(1) }).await;
        let failed = failed.unwrap_err();
        assert_eq!(failed.verdict, Verdict::Terminal);
        assert!(failed.to_string().contains(missing), "{failed}");
    }
    let odd = whole.with_header("saga-epoch", "soon");
    assert!(hotel.participant.perform(&odd, || async { taken(1) }).await.is_err());
}
