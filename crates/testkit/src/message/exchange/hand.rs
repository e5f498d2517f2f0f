//! What the tests of queues say to their subject.

use std::fmt;

use switchboard_core::Envelope;
use switchboard_message::Outcome;
use switchboard_message::exchange::{Job, Layout, Queues, Sent, Worker};

use crate::message::{A_WHILE, PATIENCE, Subject, envelope};

/// A worker with an easier voice, and patience.
pub struct Hand(Box<dyn Worker>);

/// A message with this number for this exchange.
pub fn numbered(number: u64) -> Envelope {
    envelope("suite", None, number)
}

/// The number in a job.
///
/// # Panics
/// When the message cannot be decoded or is none of ours.
pub fn body_of(job: &Job) -> u64 {
    let message = job.message.as_ref().expect("a message that can be decoded");
    let text = std::str::from_utf8(&message.payload).expect("a number as text");
    text.parse().expect("a number")
}

// === impl Subject ===

impl Subject {
    /// The broker's queues.
    ///
    /// # Panics
    /// When it has none.
    pub fn queues(&self) -> &dyn Queues {
        self.broker().queues().expect("a broker with queues")
    }

    /// Declares a layout.
    pub async fn lay_out(&self, layout: Layout) {
        self.queues().declare(&layout).await.expect("a declared layout");
    }

    /// Sends messages with these numbers, which must be taken.
    pub async fn send(
        &self,
        exchange: &str,
        routing_key: &str,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Vec<Sent> {
        let batch = numbers.into_iter().map(numbered).collect();
        let answers = self.queues().send(exchange, routing_key, batch).await;
        answers.into_iter().map(|answer| answer.expect("a message that was taken")).collect()
    }

    /// One more worker of a queue.
    pub async fn hand(&self, queue: &str, prefetch: usize) -> Hand {
        Hand(self.queues().work(queue, prefetch).await.expect("a worker"))
    }

    /// The numbers that wait in a queue, which is empty afterwards. Waits for as many as are
    /// expected, and then whether there are more.
    pub async fn drain(&self, queue: &str, expected: usize) -> Vec<u64> {
        let mut hand = self.hand(queue, 100).await;
        let numbers = hand.work_off(expected).await;
        hand.stays_silent().await;
        numbers
    }
}

// === impl Hand ===

impl Hand {
    /// The worker itself.
    pub fn worker(&mut self) -> &mut dyn Worker {
        &mut *self.0
    }

    /// Waits for the next jobs.
    pub async fn next(&mut self) -> Vec<Job> {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
        let jobs = next.expect("jobs in time").expect("a working worker");
        assert!(!jobs.is_empty(), "jobs are never an empty list");
        jobs
    }

    /// Takes `count` jobs without settling them; more is a failure.
    pub async fn take(&mut self, count: usize) -> Vec<Job> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.extend(self.next().await);
        }
        assert_eq!(taken.len(), count, "more jobs than expected");
        taken
    }

    /// Takes one job.
    pub async fn one(&mut self) -> Job {
        self.take(1).await.remove(0)
    }

    /// Takes and settles `count` jobs, and gives their numbers.
    pub async fn work_off(&mut self, count: usize) -> Vec<u64> {
        let mut numbers = Vec::with_capacity(count);
        while numbers.len() < count {
            for job in self.next().await {
                self.settle(&job, Outcome::Done);
                numbers.push(body_of(&job));
            }
        }
        numbers
    }

    /// Settles a job whose tag must be valid.
    pub fn settle(&mut self, job: &Job, outcome: Outcome) {
        assert!(self.0.settle(job.tag, outcome), "a tag in hand is valid");
    }

    /// Nothing reaches the worker for a while.
    pub async fn stays_silent(&mut self) {
        let next = tokio::time::timeout(A_WHILE, self.0.next()).await;
        assert!(next.is_err(), "nothing should have come, but {next:?} did");
    }
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hand").finish_non_exhaustive()
    }
}
