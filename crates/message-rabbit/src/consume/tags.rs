//! Which acks to send for what was settled: as few as possible, and never one twice.
//!
//! The server numbers the deliveries of a channel from 1, and an ack may cover all numbers up to
//! its own. It closes the channel for an ack of a number that is not outstanding, so this keeps
//! what it has said already.

use std::collections::VecDeque;

/// The deliveries of one channel, from the oldest that is not settled.
#[derive(Debug)]
pub(crate) struct Tags {
    /// The number of the first mark.
    first: u64,
    marks: VecDeque<Mark>,
    outstanding: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Outstanding,
    /// Done, and the server does not know yet.
    Done,
    /// The server was told.
    Told,
}

/// What was settled, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Out of the queue.
    Ack,
    /// To the dead letters.
    Reject,
    /// Back to the queue, counted.
    Return,
}

/// What to tell the server, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// To be rejected: with true back to the queue, else to the dead letters.
    pub(crate) rejects: Vec<(u64, bool)>,
    /// An ack of everything up to this number.
    pub(crate) up_to: Option<u64>,
    /// Acks of single numbers.
    pub(crate) singles: Vec<u64>,
}

// === impl Tags ===

impl Tags {
    pub(crate) fn new() -> Self {
        Self { first: 1, marks: VecDeque::new(), outstanding: 0 }
    }

    /// A delivery has come. Numbers rise without gaps.
    pub(crate) fn arrived(&mut self, tag: u64) {
        while self.first + self.marks.len() as u64 <= tag {
            self.marks.push_back(Mark::Outstanding);
            self.outstanding += 1;
        }
    }

    /// Deliveries that are not settled.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Settles, and says what the server is to be told now. What is settled already is ignored.
    pub(crate) fn settle(&mut self, settled: &[(u64, How)]) -> Plan {
        let mut plan = Plan::default();
        for (tag, how) in settled {
            let Some(mark) = self.mark(*tag).filter(|mark| **mark == Mark::Outstanding) else {
                continue;
            };
            *mark = Mark::Told;
            match how {
                How::Ack => *mark = Mark::Done,
                How::Reject => plan.rejects.push((*tag, false)),
                How::Return => plan.rejects.push((*tag, true)),
            }
            self.outstanding -= 1;
        }
        while let Some(mark) = self.marks.front().filter(|mark| **mark != Mark::Outstanding) {
            if *mark == Mark::Done {
                plan.up_to = Some(self.first);
            }
            self.first += 1;
            self.marks.pop_front();
        }
        for (tag, _) in settled {
            if let Some(mark) = self.mark(*tag).filter(|mark| **mark == Mark::Done) {
                *mark = Mark::Told;
                plan.singles.push(*tag);
            }
        }
        plan
    }

    fn mark(&mut self, tag: u64) -> Option<&mut Mark> {
        let index = tag.checked_sub(self.first).and_then(|index| usize::try_from(index).ok())?;
        self.marks.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(count: u64) -> Tags {
        let mut tags = Tags::new();
        (1..=count).for_each(|tag| tags.arrived(tag));
        tags
    }

    fn acks(list: &[u64]) -> Vec<(u64, How)> {
        list.iter().map(|tag| (*tag, How::Ack)).collect()
    }

    #[test]
    fn a_run_from_the_oldest_is_one_ack() {
        let mut tags = tags(5);
        let plan = tags.settle(&acks(&[2, 1, 3]));
        assert_eq!(plan, Plan { up_to: Some(3), ..Plan::default() });
        assert_eq!(tags.outstanding(), 2);
    }

    #[test]
    fn what_is_behind_a_gap_is_acked_alone_and_not_again() {
        let mut tags = tags(4);
        assert_eq!(tags.settle(&acks(&[2, 3])).singles, [2, 3]);
        // 3 is not outstanding any more: an ack up to 3 would close the channel.
        assert_eq!(tags.settle(&acks(&[1])), Plan { up_to: Some(1), ..Plan::default() });
        assert_eq!(tags.settle(&acks(&[4])), Plan { up_to: Some(4), ..Plan::default() });
    }

    #[test]
    fn settling_twice_tells_the_server_nothing() {
        let mut tags = tags(2);
        tags.settle(&acks(&[1, 2]));
        assert_eq!(tags.settle(&acks(&[1, 2, 9])), Plan::default());
        assert_eq!(tags.outstanding(), 0);
    }

    #[test]
    fn a_reject_is_told_before_an_ack_passes_it() {
        let mut tags = tags(3);
        let plan = tags.settle(&[(2, How::Reject), (1, How::Ack), (3, How::Return)]);
        assert_eq!(plan.rejects, [(2, false), (3, true)]);
        assert_eq!((plan.up_to, plan.singles), (Some(1), vec![]));
    }

    #[test]
    fn every_order_tells_each_number_exactly_once() {
        let orders = [[1, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3], [3, 1, 4, 2]];
        for order in orders {
            let mut tags = tags(4);
            let mut outstanding: Vec<u64> = vec![1, 2, 3, 4];
            for tag in order {
                let plan = tags.settle(&acks(&[tag]));
                if let Some(up_to) = plan.up_to {
                    assert!(outstanding.contains(&up_to), "{up_to} is outstanding");
                    outstanding.retain(|other| *other > up_to);
                }
                for single in plan.singles {
                    assert!(outstanding.contains(&single), "{single} is outstanding");
                    outstanding.retain(|other| *other != single);
                }
            }
            assert!(outstanding.is_empty(), "{order:?}");
        }
    }
}
