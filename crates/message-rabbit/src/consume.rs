//! Groups: which member of this process reads which partition, and the task that feeds it.
//!
//! Every process of a group registers with each of the group's queues, and the server lets one of
//! them have a queue's messages at a time: that is what keeps the order. Within the process, a
//! partition belongs to one member. A process that has more than its share gives partitions up,
//! and the server hands them to the process that has waited longest.

mod division;
mod feed;
mod hands;
mod member;
pub(crate) mod tags;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_core::Name;
use switchboard_message::{Consumer, Subscription, metrics as message_names};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::link::Link;
use crate::options::MIN_SHARE;
use crate::topics::{Declared, Topics};
use crate::{Options, names};
use feed::Feed;
use hands::Settled;
pub(crate) use hands::{Hands, Numbers, Place, Sight};
use member::Member;

/// RabbitMQ has no log whose epochs could be counted.
pub(crate) const EPOCH: u64 = 1;

/// All groups with members in this process.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) link: Link,
    pub(crate) topics: Arc<Topics>,
    pub(crate) options: Options,
    pub(crate) numbers: Arc<Numbers>,
    groups: Mutex<HashMap<Name, Group>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Group {
    members: BTreeMap<u64, Joined>,
    owners: HashMap<Name, BTreeMap<u32, u64>>,
    feeds: HashMap<Place, Running>,
    /// Tasks that end: the next one of the partition waits for it, so that acks come first.
    ending: HashMap<Place, JoinHandle<()>>,
}

#[derive(Debug)]
struct Joined {
    topics: BTreeMap<Name, Arc<Declared>>,
    hands: Arc<Hands>,
    prefetch: u16,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Whether the server has let this process have messages of the queue.
    active: Arc<std::sync::atomic::AtomicBool>,
}

// === impl Groups ===

impl Groups {
    pub(crate) fn new(
        link: Link,
        topics: Arc<Topics>,
        numbers: Arc<Numbers>,
        options: Options,
        stop: CancellationToken,
    ) -> Self {
        Self {
            link,
            topics,
            options,
            numbers,
            groups: Mutex::default(),
            tasks: TaskTracker::new(),
            stop,
        }
    }

    /// Joins a group whose queues exist.
    pub(crate) fn join(
        self: &Arc<Self>,
        wish: Subscription,
        topics: BTreeMap<Name, Arc<Declared>>,
    ) -> Box<dyn Consumer> {
        let clock = Arc::clone(&self.options.clock);
        let hands = Arc::new(Hands::new(wish.max_in_flight, clock, Arc::clone(&self.numbers)));
        let id = self.numbers.generation();
        let prefetch = share(self.options.prefetch, wish.max_in_flight, &topics);
        let joined = Joined { topics, hands: Arc::clone(&hands), prefetch };
        let mut groups = self.groups.lock();
        let group = groups.entry(wish.group.clone()).or_default();
        group.members.insert(id, joined);
        if self.stop.is_cancelled() {
            hands.close();
        } else {
            self.divide(&wish.group, group);
        }
        Box::new(Member::new(id, wish.group, Arc::clone(self), hands))
    }

    /// A member was dropped: its partitions go to those that stay.
    fn leave(self: &Arc<Self>, group: &Name, id: u64) {
        let mut groups = self.groups.lock();
        if let Some(entry) = groups.get_mut(group) {
            entry.members.remove(&id);
            self.divide(group, entry);
        }
    }

    /// Ends all members. Returns when the server has their acks.
    pub(crate) async fn close(&self) {
        for group in self.groups.lock().values() {
            group.members.values().for_each(|member| member.hands.close());
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn divide(self: &Arc<Self>, name: &Name, group: &mut Group) {
        let mut topics: BTreeMap<Name, Arc<Declared>> = BTreeMap::new();
        for member in group.members.values() {
            topics.extend(member.topics.iter().map(|(name, it)| (name.clone(), Arc::clone(it))));
        }
        let former: BTreeSet<Name> = group.owners.keys().cloned().collect();
        let (mut lost, mut gained) = (BTreeMap::new(), BTreeMap::new());
        for topic in former.into_iter().chain(topics.keys().cloned()).collect::<BTreeSet<_>>() {
            let before = group.owners.remove(&topic).unwrap_or_default();
            let reads = |joined: &Joined| joined.topics.contains_key(&topic);
            let members = group.members.iter().filter(|(_, joined)| reads(joined));
            let members: Vec<u64> = members.map(|(id, _)| *id).collect();
            let partitions = topics.get(&topic).map_or(0, |declared| declared.partitions);
            let after = division::divide(partitions, &before, &members);
            for (partition, owner) in &before {
                if after.get(partition) != Some(owner) {
                    let places: &mut Vec<Place> = lost.entry(*owner).or_default();
                    places.push((topic.clone(), *partition));
                }
            }
            for (partition, owner) in &after {
                if before.get(partition) != Some(owner) {
                    let places: &mut Vec<Place> = gained.entry(*owner).or_default();
                    places.push((topic.clone(), *partition));
                }
            }
            if !after.is_empty() {
                group.owners.insert(topic, after);
            }
        }
        for (owner, places) in lost {
            group.stop(&places);
            if let Some(member) = group.members.get(&owner) {
                member.hands.revoke(&places);
            }
        }
        for (owner, places) in gained {
            self.begin(name, group, owner, places);
        }
        let changes = metrics::counter!(message_names::REBALANCES, "group" => name.to_string());
        changes.increment(1);
    }

    fn begin(self: &Arc<Self>, name: &Name, group: &mut Group, owner: u64, places: Vec<Place>) {
        let Some(member) = group.members.get(&owner) else { return };
        let mut begun = Vec::with_capacity(places.len());
        let mut feeds = Vec::with_capacity(places.len());
        for place in places {
            let Some(topic) = member.topics.get(&place.0) else { continue };
            let settled: Arc<Settled> = Arc::default();
            let generation = self.numbers.generation();
            begun.push((place.clone(), Arc::clone(&settled), generation));
            feeds.push(Feed {
                groups: Arc::clone(self),
                hands: Arc::clone(&member.hands),
                group: name.clone(),
                topic: Arc::clone(topic),
                place,
                settled,
                generation,
                prefetch: member.prefetch,
                stop: self.stop.child_token(),
                active: Arc::default(),
            });
        }
        member.hands.assign(begun);
        for feed in feeds {
            let place = feed.place.clone();
            let (stop, active) = (feed.stop.clone(), Arc::clone(&feed.active));
            let before = group.ending.remove(&place);
            let task = self.tasks.spawn(feed.run(before));
            group.feeds.insert(place, Running { stop, task, active });
        }
    }

    /// Whether this process should let go of one more partition of a topic, which `consumers`
    /// processes read. If so, the partition counts as given up from now on.
    fn yields(&self, group: &Name, topic: &Declared, place: &Place, consumers: u32) -> bool {
        use std::sync::atomic::Ordering::Relaxed;
        let groups = self.groups.lock();
        let Some(entry) = groups.get(group) else { return false };
        let of_topic = entry.feeds.iter().filter(|((name, _), _)| *name == topic.name);
        let active = of_topic.filter(|(_, running)| running.active.load(Relaxed)).count();
        let fair = topic.partitions.div_ceil(consumers.max(1));
        let too_many = active > usize::try_from(fair).unwrap_or(usize::MAX);
        too_many && entry.feeds.get(place).is_some_and(|it| it.active.swap(false, Relaxed))
    }

    /// What this process sees of a group's partition; `None` when no member of it is here.
    pub(crate) fn sight(&self, group: &str, place: &Place) -> Option<Sight> {
        let groups = self.groups.lock();
        let group = groups.get(group)?;
        let owner = group.owners.get(&place.0)?.get(&place.1)?;
        group.members.get(owner)?.hands.sight(place)
    }
}

// === impl Group ===

impl Group {
    fn stop(&mut self, places: &[Place]) {
        for place in places {
            if let Some(Running { stop, task, .. }) = self.feeds.remove(place) {
                stop.cancel();
                self.ending.insert(place.clone(), task);
            }
        }
    }
}

/// What the server sends ahead for one partition: a member's prefetch divided among those it may
/// have to read alone.
fn share(prefetch: u16, in_flight: usize, topics: &BTreeMap<Name, Arc<Declared>>) -> u16 {
    let most = prefetch.min(u16::try_from(in_flight).unwrap_or(u16::MAX));
    let partitions: u32 = topics.values().map(|topic| topic.partitions).sum();
    let share = most / u16::try_from(partitions.max(1)).unwrap_or(u16::MAX);
    share.clamp(MIN_SHARE.min(most), most)
}

/// The queue of a place.
fn queue(group: &Name, (topic, partition): &Place) -> lapin::types::ShortString {
    names::short(names::queue(group, topic, *partition))
}
