//! Checkpoints move behind acks, slot by slot.

use super::*;

const A: Slot = Slot(1);
const B: Slot = Slot(2);

fn at(position: u64) -> Position {
    Position(position)
}

fn loaded(positions: &[(Slot, u64)]) -> Slots {
    let mut slots = Slots::at(&[]);
    for (slot, position) in positions {
        assert!(slots.load(*slot, at(*position)));
        slots.read_to(at(*position));
    }
    slots
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_never_passes_what_is_not_done() {
    let mut slots = loaded(&[(A, 1), (A, 2), (B, 3), (A, 4)]);
    slots.done(A, at(4));
    slots.done(B, at(3));
    assert_eq!(slots.moved(false), [(B, at(4))], "position 1 of slot A is not done");
    slots.done(A, at(1));
    assert_eq!(slots.moved(false), [(A, at(1))]);
    assert_eq!(slots.floor_with(A, at(2)), at(4));
    slots.done(A, at(2));
    assert_eq!(slots.moved(false), [(A, at(4))]);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_slot_is_read_again_from_the_message_that_failed() {
    let mut slots = loaded(&[(A, 1), (A, 2), (A, 3), (B, 4)]);
    slots.done(A, at(1));
    slots.done(A, at(3)); // another key of the slot, published in the same batch
    assert_eq!(slots.block(A, at(2)), 1);
    slots.done(B, at(4));
    assert!(!slots.load(A, at(5)), "nothing is taken up while the slot is blocked");
    assert!(slots.load(B, at(6)), "others flow");
    slots.read_to(at(6));
    assert_eq!(slots.block(A, at(2)), 2);

    slots.done(A, at(2));
    assert_eq!(slots.cursor(), at(2));
    assert!(!slots.load(A, at(3)), "it was published before");
    assert!(!slots.load(B, at(4)) && !slots.load(B, at(6)), "other slots took these up");
    assert!(slots.load(A, at(5)));
}

#[tokio::test(start_paused = true)]
async fn two_failures_of_one_batch_block_at_the_first() {
    let mut slots = loaded(&[(A, 1), (A, 2), (A, 3)]);
    slots.block(A, at(2));
    assert_eq!(slots.block(A, at(3)), 1);
    let blocked: Vec<_> = slots.blocked().map(|(_, blocked)| blocked.position).collect();
    assert_eq!(blocked, [at(1)], "position 1 was taken up and not done");
    slots.done(A, at(1));
    assert!(slots.load(A, at(2)) && slots.load(A, at(3)));
}

#[tokio::test(start_paused = true)]
async fn checkpoints_of_idle_slots_move_with_the_cursor_when_asked() {
    let mut slots = loaded(&[(A, 7)]);
    slots.done(A, at(7));
    let all = slots.moved(true);
    assert_eq!(all.len(), 256);
    assert!(all.iter().all(|(_, position)| *position == at(7)));
    slots.not_stored(&all);
    assert_eq!(slots.moved(false).len(), 256, "they are stored again");
}

#[test]
fn a_restart_continues_at_the_lowest_checkpoint_and_passes_over_what_was_done() {
    let mut all: Vec<_> =
        (0..=255).map(|n| Checkpoint { slot: Slot(n), position: at(10) }).collect();
    all[1].position = at(4);
    let mut slots = Slots::at(&all);
    assert_eq!(slots.cursor(), at(4));
    assert!(slots.load(A, at(5)));
    assert!(!slots.load(B, at(6)));
    assert!(slots.load(B, at(11)));
}
