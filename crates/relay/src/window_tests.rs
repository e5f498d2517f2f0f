//! What is published, acknowledged and still on its way.

use super::*;
use switchboard_core::{Envelope, ManualClock, Rng};

fn window(keys: &[Option<&str>]) -> Window {
    let (clock, mut rng) = (ManualClock::default(), Rng::from_seed(1));
    let mut window = Window::default();
    for (position, key) in (1..).zip(keys) {
        let mut envelope =
            Envelope::new("t", "k", "s", &clock, &mut rng).with_payload(vec![0; 100]);
        envelope.key = key.map(Key::from);
        let slot = envelope.key.as_ref().map_or(Slot(0), Slot::of);
        window.push(Outgoing { position: Position(position), slot, envelope });
    }
    window
}

fn positions(records: &[Outgoing]) -> Vec<u64> {
    records.iter().map(|record| record.position.0).collect()
}

#[test]
fn one_call_holds_one_message_of_a_key_and_the_rest_keeps_its_order() {
    let mut window = window(&[Some("a"), Some("b"), Some("a"), None, None, Some("b"), Some("c")]);
    let (parked, options) = (HashSet::new(), Options::default());
    assert_eq!(positions(&window.take(&parked, &options).publish), [1, 2, 4, 5, 7]);
    assert_eq!(positions(&window.take(&parked, &options).publish), [3, 6]);
    assert_eq!(window.len(), 0);
}

#[test]
fn messages_of_a_parked_key_join_it_in_order() {
    let mut window = window(&[Some("a"), Some("b"), Some("a")]);
    let batch = window.take(&HashSet::from([Key::from("a")]), &Options::default());
    assert_eq!((positions(&batch.publish), positions(&batch.join)), (vec![2], vec![1, 3]));
}

#[test]
fn one_call_is_bounded_by_count_and_by_bytes() {
    let parked = HashSet::new();
    let few = Options { batch: 2, ..Options::default() };
    assert_eq!(positions(&window(&[None; 5]).take(&parked, &few).publish), [1, 2]);
    let small = Options { batch_bytes: 250, ..Options::default() };
    let mut window = window(&[None; 5]);
    assert_eq!(positions(&window.take(&parked, &small).publish), [1, 2]);
    let tiny = Options { batch_bytes: 1, ..Options::default() };
    assert_eq!(positions(&window.take(&parked, &tiny).publish), [3], "one always fits");
}

#[test]
fn a_slot_that_is_blocked_leaves_the_window() {
    let mut window = window(&[Some("a"), Some("b"), Some("a")]);
    window.forget(Slot::of(&Key::from("a")));
    let batch = window.take(&HashSet::new(), &Options::default());
    assert_eq!(positions(&batch.publish), [2]);
}
