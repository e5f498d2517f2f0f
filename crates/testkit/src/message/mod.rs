//! The conformance suite of brokers: what [`Broker`] and [`Consumer`] promise, one test a promise.
//!
//! A backend's own test file names its factory and gets one test per promise:
//!
//! ```ignore
//! switchboard_testkit::message_suite!(async || {
//!     Subject::new(MemoryBroker::new(Arc::new(SystemClock)))
//! });
//! ```
//!
//! The tests run on real time, because a backend may have threads of its own; each waits for what
//! must happen, and gives up after [`PATIENCE`]. What must *not* happen is watched for
//! [`A_WHILE`].
//!
//! - [`publish`] topics, acks, partitions
//! - [`consume`] order, budget, settling
//! - [`groups`] sharing, handing over, resuming
//! - [`inspect`] what operators ask
//! - [`calls`] request and reply
//! - [`exchange`] the suite of queues behind exchanges
//!
//! [`Broker`]: switchboard_message::Broker
//! [`Consumer`]: switchboard_message::Consumer

pub mod calls;
pub mod consume;
pub mod exchange;
pub mod groups;
pub mod inspect;
pub mod publish;
mod subject;

pub use subject::{A_WHILE, PATIENCE, Reader, Subject, body, envelope, envelopes};

/// Expands a list of suite modules and tests into something, once for every test.
///
/// This is the one list of all promises: [`message_suite!`](crate::message_suite) and the table of
/// promises are made from it.
#[doc(hidden)]
#[macro_export]
macro_rules! __message_tests {
    ($then:path, $with:expr) => {
        $then! { $with;
            publish::undeclared_topics_are_refused
            publish::an_ack_names_a_dense_position
            publish::bug_20_keys_go_where_murmur2_sends_them
            publish::a_keyless_message_keeps_the_slot_of_its_identity
            publish::one_bad_record_does_not_fail_its_neighbours
            publish::declaring_again_changes_nothing
            publish::another_partition_count_is_reported
            publish::a_wrong_declaration_is_refused
            publish::a_missing_capability_is_refused_by_name
            publish::an_envelope_arrives_as_it_was_sent
            consume::a_slot_keeps_its_order
            consume::every_group_gets_its_own_copy
            consume::a_group_may_begin_at_the_end
            consume::deliveries_in_flight_are_bounded
            consume::bug_16_progress_is_contiguous
            consume::a_retry_comes_again_and_is_counted
            consume::a_retry_waits_for_its_moment
            consume::a_rejected_record_is_passed
            consume::bug_24_settling_twice_is_a_no_op
            consume::next_is_cancel_safe
            consume::bug_15_nothing_falls_between_catching_up_and_the_live_end
            groups::members_share_the_partitions
            groups::bug_17_a_receipt_is_stale_after_its_revocation
            groups::who_leaves_hands_over
            groups::the_broker_keeps_the_position
            groups::the_store_is_asked_where_to_resume
            groups::a_position_of_a_former_epoch_is_cut
            groups::a_store_that_cannot_answer_is_asked_again
            groups::a_position_that_was_never_reached_hides_nothing
            groups::limits_are_checked
            inspect::topics_show_their_bounds
            inspect::groups_show_their_lag
            inspect::records_can_be_read
            inspect::the_highest_sequences_are_known
            inspect::a_group_can_be_moved_back
            inspect::a_group_cannot_be_moved_out_of_the_log
            calls::a_call_is_answered
            calls::a_call_without_a_reply_ends_at_its_deadline
            calls::late_and_second_replies_are_counted
            calls::outstanding_calls_are_bounded
            calls::callers_get_their_own_replies
            calls::a_call_that_cannot_be_sent_ends_at_once
            calls::a_call_goes_through_queues_too
        }
    };
}

/// One `#[tokio::test]` per promise, on brokers from `factory: async || -> Subject`.
#[macro_export]
macro_rules! message_suite {
    ($factory:expr) => {
        $crate::__message_tests!($crate::__message_test_each, $factory);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __message_test_each {
    ($factory:expr; $($part:ident::$test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let factory = $factory;
                let subject: $crate::message::Subject = factory().await;
                $crate::message::$part::$test(&subject).await;
                subject.compare_with_table("Topics", concat!(stringify!($part), "::", stringify!($test)));
            }
        )*
    };
}
