//! The conformance suite of queues: what [`Queues`] and [`Worker`] promise, one test a promise.
//!
//! A backend's own test file names its factory, whose brokers must have [`Queues`]:
//!
//! ```ignore
//! switchboard_testkit::queue_suite!(async || {
//!     Subject::new(MemoryBroker::new(Arc::new(SystemClock)))
//! });
//! ```
//!
//! - [`routing`] exchanges, bindings, alternates, declarations
//! - [`working`] order, prefetch, settling, workers that come and go
//! - [`dying`] dead letters, limits, time to live
//! - [`differential`] random work, done by two brokers and compared
//!
//! [`Queues`]: switchboard_message::exchange::Queues
//! [`Worker`]: switchboard_message::exchange::Worker

pub mod differential;
pub mod dying;
mod hand;
pub mod routing;
pub mod working;

pub use hand::{Hand, body_of, numbered};

/// Expands a list of suite modules and tests into something, once for every test.
#[doc(hidden)]
#[macro_export]
macro_rules! __queue_tests {
    ($then:path, $with:expr) => {
        $then! { $with;
            routing::a_direct_exchange_looks_at_the_whole_key
            routing::a_topic_exchange_matches_words
            routing::a_fanout_exchange_gives_to_all
            routing::a_headers_exchange_looks_at_headers
            routing::the_nameless_exchange_gives_to_the_named_queue
            routing::a_queue_gets_a_message_once
            routing::what_nothing_takes_goes_to_the_alternate_or_is_told
            routing::what_was_not_declared_is_refused
            routing::declaring_again_only_adds
            routing::other_settings_are_reported_and_change_nothing
            routing::a_wrong_layout_is_refused
            routing::one_bad_message_does_not_fail_its_neighbours
            routing::an_envelope_arrives_as_it_was_sent
            working::a_queue_keeps_its_order
            working::jobs_in_hand_are_bounded
            working::every_job_goes_to_one_worker
            working::workers_share_alike
            working::what_a_dropped_worker_held_comes_first_and_is_counted
            working::a_retry_comes_first_and_is_counted
            working::what_comes_back_stands_behind_what_came_back_before
            working::a_retry_waits_for_its_moment
            working::bug_24_settling_twice_is_a_no_op
            working::a_tag_is_good_for_its_worker_only
            working::next_is_cancel_safe
            working::a_single_active_consumer_is_followed_by_the_next
            working::limits_are_checked
            working::depths_are_shown
            dying::a_rejected_message_is_dead_lettered
            dying::bug_22_the_delivery_limit_is_reached_by_retries
            dying::the_delivery_limit_is_reached_by_workers_that_die
            dying::without_a_dead_letter_exchange_it_is_dropped
            dying::a_dead_letter_keeps_its_routing_key_if_no_other_is_given
            dying::what_expires_is_dead_lettered_in_order_without_a_worker
            dying::a_job_in_hand_does_not_expire
            dying::a_full_queue_lets_its_oldest_go
            dying::deaths_are_counted_by_queue_and_reason
            dying::bug_36_a_circle_without_a_rejection_ends
        }
    };
}

/// One `#[tokio::test]` per promise, on brokers from `factory: async || -> Subject`.
#[macro_export]
macro_rules! queue_suite {
    ($factory:expr) => {
        $crate::__queue_tests!($crate::__queue_test_each, $factory);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __queue_test_each {
    ($factory:expr; $($part:ident::$test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let factory = $factory;
                let subject: $crate::message::Subject = factory().await;
                $crate::message::exchange::$part::$test(&subject).await;
                subject.compare_with_table("Queues", concat!(stringify!($part), "::", stringify!($test)));
            }
        )*
    };
}
