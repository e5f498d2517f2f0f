//! The conformance suite of stores: every backend passes the same tests.
//!
//! A backend's own test file names the suite and says how a store is opened:
//!
//! ```
//! use std::sync::Arc;
//! use switchboard_core::{ManualClock, Rng};
//! use switchboard_store::{MemoryStore, Store};
//! use switchboard_testkit::store::{Subject, TABLES};
//!
//! struct Memory(Arc<ManualClock>, Arc<MemoryStore>);
//!
//! impl Subject for Memory {
//!     fn open(&self) -> Arc<dyn Store> {
//!         self.1.clone()
//!     }
//!     fn clock(&self) -> &ManualClock {
//!         &self.0
//!     }
//!     fn backend(&self) -> &'static str {
//!         "memory"
//!     }
//! }
//!
//! fn memory() -> Memory {
//!     let clock = Arc::new(ManualClock::default());
//!     let store = MemoryStore::new("suite", TABLES, clock.clone(), Rng::from_seed(1));
//!     Memory(clock, Arc::new(store))
//! }
//!
//! switchboard_testkit::store_suite!(memory());
//! # fn main() {}
//! ```

#![allow(clippy::unwrap_used, reason = "the suite is test code: it fails by panicking")]

pub mod gates;
pub mod inbox;
pub mod leases;
pub mod log;
pub mod rows;
pub mod timers;
pub mod units;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use switchboard_core::{Identity, Key, ManualClock, Name, Slot, Timestamp, Verdict};
use switchboard_store::{
    Column, CommitError, Committed, Custody, Failure, Handled, Mark, NewEvent, NewMessage, Store,
    Table, Unit,
};

use crate::capabilities;

/// A backend under test: one store of the service `suite`, opened with [`TABLES`].
pub trait Subject: Send + Sync {
    /// Opens the store. The first time it is empty; later, when all handles are gone, it is what
    /// was committed before.
    fn open(&self) -> Arc<dyn Store>;

    /// The store's clock.
    fn clock(&self) -> &ManualClock;

    /// The backend's name, as the table of promises has it.
    fn backend(&self) -> &'static str;
}

/// Compares a promise that was kept with the table of promises.
///
/// # Panics
/// When the table says something else.
pub fn compare_with_table(subject: &dyn Subject, promise: &str) {
    capabilities::compare("Stores", promise, subject.backend(), None);
}

/// The tables that the suite writes to.
pub const TABLES: &[&Table] = &[&ITEMS];

/// One column of each type, and an index for filters and order.
pub static ITEMS: Table = Table {
    name: "suite_items",
    columns: &[
        Column::integer("amount"),
        Column::text("owner"),
        Column::blob("photo"),
        Column::integer("rank"),
    ],
    indexes: &[&["owner", "rank"], &["rank"]],
};

/// The one list of all promises, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __store_tests {
    ($then:path, $with:expr) => {
        $then! { $with;
            units: [
                a_unit_happens_whole_or_not_at_all,
                a_stream_is_where_it_is_expected_or_the_unit_conflicts,
                an_old_stream_is_not_taken_for_a_new_one,
                rows_are_what_is_expected_or_the_unit_conflicts,
                nothing_matching_guards_a_decision,
                of_many_rivals_in_one_batch_exactly_one_passes,
                a_unit_that_fails_does_not_fail_its_neighbours,
                an_overflow_fails_its_own_unit_only,
                limits_are_kept_and_named,
                what_is_not_declared_is_invalid,
                a_unit_that_changes_nothing_is_answered,
                what_is_answered_is_there_after_opening_again,
                messages_and_events_inherit_the_context,
                a_unit_may_say_when_it_happened,
            ],
            inbox: [
                a_duplicate_changes_nothing_but_progress,
                marks_out_of_order_are_all_recognised,
                a_mark_belongs_to_one_group_topic_and_incarnation,
                of_concurrent_copies_one_has_an_effect,
                a_duplicate_in_a_batch_does_not_accuse_an_innocent_one,
                a_unit_that_fails_leaves_no_mark,
                marks_are_there_after_opening_again,
                a_strangers_mark_is_kept_for_its_time,
                progress_only_rises_within_an_epoch,
                a_reading_moves_only_from_where_it_stands,
            ],
            gates: [
                a_blocked_key_takes_no_effects_and_an_open_one_no_waiters,
                what_waits_keeps_its_order_and_is_released_in_it,
                only_the_head_can_be_worked_on,
                one_unit_may_drain_a_queue,
                a_deferred_head_is_due_when_it_says,
                due_gates_come_in_order_with_the_next_one,
                an_operator_wakes_a_parked_key,
                the_first_and_the_last_failures_are_remembered,
                one_undecodable_message_hides_no_other,
                a_message_that_joins_while_the_key_opens_is_not_stranded,
                entries_are_never_given_twice,
            ],
            timers: [
                firing_deletes_the_timer_and_appends_its_message_in_one_unit,
                a_cancelled_timer_is_gone,
                of_cancelling_and_firing_one_wins,
                setting_again_moves_the_timer,
                due_timers_come_in_order_with_the_next_one,
                whoever_waits_is_woken,
                one_unit_may_set_and_fire,
                a_timer_of_a_failed_unit_is_not_set,
            ],
            rows: [
                each_change_raises_the_version,
                other_columns_keep_their_values,
                adding_is_commutative_and_never_below_the_floor,
                a_deleted_row_begins_again,
                pages_follow_each_other_without_gap_or_overlap,
                queries_mean_the_same_everywhere,
                a_query_of_what_is_not_declared_is_invalid,
            ],
            log: [
                streams_and_positions_are_counted_from_one,
                a_reader_never_misses_a_position,
                sequences_are_dense_in_each_topic_and_slot,
                checkpoints_only_rise,
                sweeping_keeps_what_a_checkpoint_has_not_passed,
                positions_are_not_given_again_after_a_sweep,
                a_new_incarnation_begins_its_sequences_again,
                watchers_see_what_was_answered,
                lazy_units_are_committed_soon,
            ],
            leases: [
                every_store_has_the_tables_of_leases,
                of_rivals_for_a_lease_exactly_one_wins,
                a_unit_of_a_former_holder_changes_nothing,
                a_lease_passes_from_one_process_to_the_next,
            ],
        }
    };
}

/// Expands to one `#[tokio::test]` for each promise of the suite.
#[macro_export]
macro_rules! store_suite {
    ($subject:expr) => {
        $crate::__store_tests!($crate::__store_test_each, $subject);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __store_test_each {
    ($subject:expr; $($part:ident: [$($case:ident,)*],)*) => {
        $(mod $part {
            #[allow(unused_imports, reason = "the subject's expression may not need them")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let subject = $subject;
                    $crate::store::$part::$case(&subject).await;
                    $crate::store::compare_with_table(
                        &subject,
                        concat!(stringify!($part), "::", stringify!($case)),
                    );
                }
            )*
        })*
    };
}

/// An event with an empty object as its content.
fn event(stream: &str, kind: &str) -> NewEvent {
    NewEvent {
        stream: stream.into(),
        kind: kind.into(),
        schema: 1,
        tags: Vec::new(),
        data: Bytes::from_static(b"{}"),
    }
}

fn appending(stream: &str, count: usize) -> Unit {
    let mut unit = Unit::new();
    unit.events.extend((0..count).map(|_| event(stream, "Happened")));
    unit
}

fn message(topic: &str, key: &str) -> NewMessage {
    NewMessage {
        topic: topic.into(),
        kind: "suite.message".into(),
        version: 1,
        key: Some(Key::from(key)),
        payload: Bytes::from_static(b"{}"),
        context: None,
        headers: BTreeMap::new(),
    }
}

/// The mark of the message with this sequence, from one source, topic and slot.
fn known(sequence: u64) -> Mark {
    known_by("orders", 1, "payments", sequence)
}

fn known_by(source: &str, incarnation: u32, topic: &str, sequence: u64) -> Mark {
    let identity = Identity { source: source.into(), incarnation, sequence, slot: Slot(7) };
    Mark::Known { topic: topic.into(), identity }
}

fn handled(group: &str, key: &str, mark: Mark, custody: Custody) -> Handled {
    Handled { group: group.into(), mark, key: Key::from(key), custody }
}

/// A unit that handles message `sequence` of the key and leaves an event as its effect.
fn effect(key: &str, sequence: u64) -> Unit {
    appending(&format!("effect-{key}-{sequence}"), 1).handled(handled(
        "group",
        key,
        known(sequence),
        Custody::Effect,
    ))
}

fn failure(attempt: u32) -> Failure {
    Failure {
        at: Timestamp::from_micros(i64::from(attempt)),
        attempt,
        verdict: Verdict::Retry,
        error: format!("attempt {attempt}"),
    }
}

/// A unit that blocks the key behind message `sequence`.
fn blocks(key: &str, sequence: u64, due: Option<Timestamp>) -> Unit {
    let custody = Custody::Blocks { bytes: body(sequence), due, failure: failure(1) };
    Unit::new().handled(handled("group", key, known(sequence), custody))
}

/// A unit that lets message `sequence` wait behind the key's head.
fn behind(key: &str, sequence: u64) -> Unit {
    let custody = Custody::Behind { bytes: body(sequence) };
    Unit::new().handled(handled("group", key, known(sequence), custody))
}

fn body(sequence: u64) -> Bytes {
    sequence.to_string().into()
}

fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| Name::from(*name)).collect()
}

fn micros(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// Commits all units at the same time and answers in their order.
async fn together(
    store: &Arc<dyn Store>,
    units: impl IntoIterator<Item = Unit>,
) -> Vec<Result<Committed, CommitError>> {
    at_once(units.into_iter().map(|unit| {
        let store = store.clone();
        async move { store.commit(unit).await }
    }))
    .await
}

/// Runs all futures as tasks of their own and answers in their order.
async fn at_once<T: Send + 'static>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(task.await.expect("a task of the suite has panicked"));
    }
    answers
}

/// Fails the test unless the answer is a conflict.
#[track_caller]
fn conflicts(answer: Result<Committed, CommitError>) {
    assert!(matches!(answer, Err(CommitError::Conflict(_))), "no conflict: {answer:?}");
}

/// Fails the test unless the unit is called invalid.
#[track_caller]
fn is_invalid(answer: Result<Committed, CommitError>) {
    assert!(matches!(answer, Err(CommitError::Invalid(_))), "not invalid: {answer:?}");
}
