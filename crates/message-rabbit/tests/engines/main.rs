//! The broker on a running RabbitMQ: the conformance suite, and what only this engine promises.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod counted;
mod differential;
mod faults;
mod letters;
mod proxy;
mod python;
mod restarts;
mod server;

mod suite {
    use switchboard_testkit::message::Subject;

    use crate::server::Clean;

    switchboard_testkit::message_suite!(async || { Subject::new(Clean::new().await) });
}

mod queues {
    use switchboard_testkit::message::Subject;

    use crate::server::Clean;

    switchboard_testkit::queue_suite!(async || { Subject::new(Clean::new().await) });
}
