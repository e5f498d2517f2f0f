//! One group as pure state: members, assignment, what each member should do next.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchboard_core::{BoxError, Name, Position};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::assign;
use super::partition::{Partition, Settled};
use crate::{Assignment, Delivery, Receipt, Subscription};

/// The most records that one call of `next` hands out.
const MAX_BATCH: usize = 1024;

/// A group of one broker.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// By number, which is the order of joining.
    seats: BTreeMap<u64, Seat>,
    topics: BTreeMap<Name, Vec<Partition>>,
}

/// A member's place in its group.
#[derive(Debug)]
struct Seat {
    topics: Vec<Name>,
    max_in_flight: usize,
    in_flight: usize,
    /// Whether the truth about its progress lies in its own store.
    own_progress: bool,
    bell: Arc<Notify>,
    /// What it has lost and was not told yet.
    revoked: Vec<Assignment>,
    /// Which of its partitions comes first next time, so that none starves.
    turn: usize,
}

/// What a member does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Tell it that these are gone.
    Revoked(Vec<Assignment>),
    /// Find out where these begin.
    Place(Vec<Place>),
    /// Read these.
    Fetch(Vec<Want>),
    /// Wait for the bell, or until a record is due again.
    Wait(Option<Instant>),
}

/// A partition whose assignment has not begun.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) topic: Name,
    pub(super) partition: u32,
    pub(super) generation: u64,
    /// What the broker keeps of the group's progress.
    pub(super) kept: Option<Position>,
}

/// Records that a member has room for.
#[derive(Debug)]
pub(super) struct Want {
    pub(super) topic: Name,
    pub(super) partition: u32,
    pub(super) generation: u64,
    pub(super) epoch: u64,
    pub(super) after: Position,
    pub(super) limit: usize,
}

/// How far the group has come in one partition.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) topic: Name,
    pub(super) partition: u32,
    pub(super) position: Position,
    pub(super) members: u32,
}

// === impl Group: members and assignment ===

impl Group {
    /// Makes a topic part of the group; `kept` gives the position the broker kept, if any.
    pub(super) fn know(
        &mut self,
        topic: &Name,
        partitions: u32,
        kept: impl Fn(u32) -> Option<Position>,
    ) {
        self.topics.entry(topic.clone()).or_insert_with(|| {
            let fresh = |number| Partition::kept_at(kept(number));
            (0..partitions).map(fresh).collect()
        });
    }

    pub(super) fn join(&mut self, id: u64, subscription: &Subscription, bell: Arc<Notify>) {
        let mut topics = subscription.topics.clone();
        topics.sort();
        topics.dedup();
        let seat = Seat {
            topics,
            max_in_flight: subscription.max_in_flight,
            in_flight: 0,
            own_progress: subscription.resume.is_some(),
            bell,
            revoked: Vec::new(),
            turn: 0,
        };
        self.seats.insert(id, seat);
        self.rebalance();
    }

    pub(super) fn leave(&mut self, id: u64) {
        self.seats.remove(&id);
        self.rebalance();
    }

    /// Shares every topic anew among the members that want it.
    fn rebalance(&mut self) {
        let mut loads: BTreeMap<u64, usize> = self.seats.keys().map(|id| (*id, 0)).collect();
        for (topic, partitions) in &mut self.topics {
            let eligible = self.seats.iter().filter(|(_, seat)| seat.topics.contains(topic));
            let eligible = eligible.map(|(id, _)| (*id, loads[id])).collect();
            let holders: Vec<Option<u64>> = partitions.iter().map(|p| p.holder).collect();
            let shared = assign::share(&holders, &eligible);
            for (number, (partition, holder)) in (0..).zip(partitions.iter_mut().zip(shared)) {
                if let Some(count) = holder.and_then(|id| loads.get_mut(&id)) {
                    *count += 1;
                }
                if partition.holder != holder {
                    take(&mut self.seats, topic, number, partition);
                    partition.holder = holder;
                }
            }
        }
        self.wake_all();
    }

    /// Moves the group; whoever holds the partition begins a new assignment after `position`.
    pub(super) fn seek(
        &mut self,
        topic: &str,
        number: u32,
        position: Position,
    ) -> Result<(), BoxError> {
        let Some((topic, partitions)) = self.topics.get_key_value(topic) else {
            return Err(format!("the group does not read `{topic}`").into());
        };
        let (topic, count) = (topic.clone(), partitions.len());
        let reads = |seat: &&Seat| seat.own_progress && seat.topics.contains(&topic);
        if self.seats.values().any(|seat| reads(&seat)) {
            let text = "the group keeps its progress in its own store: move it there";
            return Err(text.into());
        }
        let Some(partition) = self.partition(&topic, number) else {
            return Err(format!("`{topic}` has {count} partitions").into());
        };
        partition.kept = Some(position);
        let holder = partition.holder;
        let Self { seats, topics } = self;
        if let Some(partition) = topics.get_mut(&topic).and_then(|list| at(list, number)) {
            take(seats, &topic, number, partition);
            partition.holder = holder;
        }
        self.wake_all();
        Ok(())
    }

    /// Begins an assignment, unless it ended meanwhile. Returns whether it began.
    pub(super) fn begin(&mut self, id: u64, place: &Place, epoch: u64, after: Position) -> bool {
        match self.partition(&place.topic, place.partition) {
            Some(p) if p.holder == Some(id) && p.generation == place.generation => {
                p.begin(epoch, after, Position::START);
                true
            }
            _ => false,
        }
    }

    fn partition(&mut self, topic: &str, number: u32) -> Option<&mut Partition> {
        self.topics.get_mut(topic).and_then(|list| at(list, number))
    }
}

fn at(partitions: &mut [Partition], number: u32) -> Option<&mut Partition> {
    partitions.get_mut(usize::try_from(number).ok()?)
}

/// Ends the assignment of a partition and leaves a note for the member that held it.
fn take(seats: &mut BTreeMap<u64, Seat>, topic: &Name, number: u32, partition: &mut Partition) {
    let holder = partition.holder.and_then(|id| seats.get_mut(&id));
    if let (Some(flow), Some(seat)) = (partition.revoke(), holder) {
        seat.in_flight -= flow.in_flight().min(seat.in_flight);
        seat.revoked.push(Assignment {
            topic: topic.clone(),
            partition: number,
            epoch: flow.epoch,
            position: flow.done(),
        });
    }
}

// === impl Group: the flow of records ===

impl Group {
    /// What this member does next.
    pub(super) fn look(&mut self, id: u64, now: Instant) -> Step {
        let Self { seats, topics } = self;
        let Some(seat) = seats.get_mut(&id) else { return Step::Wait(None) };
        if !seat.revoked.is_empty() {
            return Step::Revoked(std::mem::take(&mut seat.revoked));
        }
        let mut ready = Vec::new();
        let mut places = Vec::new();
        let mut wants = Vec::new();
        let mut soonest = None;
        for topic in &seat.topics {
            let Some(partitions) = topics.get(topic) else { continue };
            for (number, partition) in (0..).zip(partitions) {
                let Partition { holder, generation, end, kept, flow, .. } = partition;
                let (generation, kept) = (*generation, *kept);
                match flow {
                    _ if *holder != Some(id) => {}
                    None => {
                        let topic = topic.clone();
                        places.push(Place { topic, partition: number, generation, kept });
                    }
                    Some(flow) => {
                        let want = |after, limit| Want {
                            topic: topic.clone(),
                            partition: number,
                            generation,
                            epoch: flow.epoch,
                            after,
                            limit,
                        };
                        for (due, position) in flow.waiting() {
                            if due > now {
                                soonest = earlier(soonest, due);
                                break;
                            }
                            wants.push(want(Position(position.0 - 1), 1));
                        }
                        if flow.cursor < *end {
                            ready.push(want(flow.cursor, 0));
                        }
                    }
                }
            }
        }
        if !places.is_empty() {
            return Step::Place(places);
        }
        let room = seat.max_in_flight.saturating_sub(seat.in_flight).min(MAX_BATCH);
        seat.turn = seat.turn.wrapping_add(1);
        wants.extend(shares(ready, room, seat.turn));
        if wants.is_empty() { Step::Wait(soonest) } else { Step::Fetch(wants) }
    }

    /// Notes what is handed out, and drops what an ended assignment had asked for.
    pub(super) fn hand_out(&mut self, id: u64, deliveries: &mut Vec<Delivery>) {
        let mut order: Vec<usize> = (0..deliveries.len()).collect();
        let place = |index: usize| {
            let Receipt { topic, partition, position, .. } = &deliveries[index].receipt;
            (topic, *partition, *position)
        };
        order.sort_by(|a, b| place(*a).cmp(&place(*b)));
        let mut answers: Vec<Option<u32>> = vec![None; deliveries.len()];
        let mut taken = 0;
        for copies in order.chunk_by(|a, b| place(*a) == place(*b)) {
            let receipt = &deliveries[copies[0]].receipt;
            let partition = self.partition(&receipt.topic, receipt.partition);
            let Some(partition) = partition.filter(|p| p.is_current(id, receipt)) else { continue };
            let (redelivered, more) = partition.hand_out(receipt.position, copies.len());
            taken += more;
            for (repeat, index) in (redelivered..).zip(copies) {
                answers[*index] = Some(repeat);
            }
        }
        if let Some(seat) = self.seats.get_mut(&id) {
            seat.in_flight += taken;
        }
        let mut answers = answers.into_iter();
        deliveries.retain_mut(|delivery| match answers.next().flatten() {
            Some(redelivered) => {
                delivery.redelivered = redelivered;
                true
            }
            None => false,
        });
    }

    /// Settles one delivery; `again` is the moment at which it is to be delivered again.
    pub(super) fn settle(&mut self, id: u64, receipt: &Receipt, again: Option<Instant>) -> Settled {
        let partition = self.partition(&receipt.topic, receipt.partition);
        let Some(partition) = partition.filter(|p| p.is_current(id, receipt)) else {
            return Settled::Stale;
        };
        let settled = match again {
            Some(due) => partition.postpone(receipt.position, due),
            None => partition.finish(receipt.position),
        };
        if let (Settled::CopyLess | Settled::Finished { .. }, Some(seat)) =
            (&settled, self.seats.get_mut(&id))
        {
            seat.in_flight = seat.in_flight.saturating_sub(1);
        }
        settled
    }

    /// Notes the end of a partition and wakes its holder.
    pub(super) fn published(&mut self, topic: &str, number: u32, last: Position) {
        let Some(partition) = self.topics.get_mut(topic).and_then(|list| at(list, number)) else {
            return;
        };
        partition.end = partition.end.max(last);
        if let Some(seat) = partition.holder.and_then(|id| self.seats.get(&id)) {
            seat.bell.notify_one();
        }
    }

    /// Corrects an end that was told too high.
    pub(super) fn ends_at(&mut self, topic: &str, number: u32, last: Position) {
        if let Some(partition) = self.partition(topic, number) {
            partition.end = last;
        }
    }

    pub(super) fn wake_all(&self) {
        self.seats.values().for_each(|seat| seat.bell.notify_one());
    }
}

impl Partition {
    fn is_current(&self, id: u64, receipt: &Receipt) -> bool {
        self.holder == Some(id) && self.generation == receipt.generation && self.flow.is_some()
    }
}

/// Divides the room among the partitions that have records, beginning with another one each time.
fn shares(mut ready: Vec<Want>, room: usize, turn: usize) -> Vec<Want> {
    if ready.is_empty() || room == 0 {
        return Vec::new();
    }
    let first = turn % ready.len();
    ready.rotate_left(first);
    ready.truncate(room);
    let (each, extra) = (room / ready.len(), room % ready.len());
    for (index, want) in ready.iter_mut().enumerate() {
        want.limit = each + usize::from(index < extra);
    }
    ready
}

fn earlier(soonest: Option<Instant>, due: Instant) -> Option<Instant> {
    Some(soonest.map_or(due, |other: Instant| other.min(due)))
}

// === impl Group: questions ===

impl Group {
    /// The last position passed in this partition; `None` when the group does not read it.
    pub(super) fn floor(&self, topic: &str, number: u32) -> Option<Position> {
        let partitions = self.topics.get(topic)?;
        let partition = partitions.get(usize::try_from(number).ok()?)?;
        Some(partition.kept.unwrap_or(Position::START))
    }

    pub(super) fn standings(&self) -> Vec<Standing> {
        let of = |(topic, partitions): (&Name, &Vec<Partition>)| {
            let row = |(partition, state): (u32, &Partition)| Standing {
                topic: topic.clone(),
                partition,
                position: state.kept.unwrap_or(Position::START),
                members: u32::from(state.holder.is_some()),
            };
            (0..).zip(partitions).map(row).collect::<Vec<_>>()
        };
        self.topics.iter().flat_map(of).collect()
    }
}
