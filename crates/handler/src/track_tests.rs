//! Progress with parallel handlers: it never passes what is not done.

use super::*;

fn receipt(position: u64, epoch: u64, generation: u64) -> Receipt {
    Receipt { topic: "t".into(), partition: 0, position: Position(position), epoch, generation }
}

fn tracks(position: u64, epoch: u64) -> Tracks {
    let mut tracks = Tracks::default();
    let position = Position(position);
    tracks.assign(&Assignment { topic: "t".into(), partition: 0, epoch, position });
    tracks
}

fn position(progress: Option<Progress>) -> Option<(u64, u64)> {
    progress.map(|progress| (progress.epoch, progress.position.0))
}

#[test]
fn progress_never_passes_what_is_still_in_flight() {
    let (mut tracks, group) = (tracks(10, 1), Name::from("g"));
    for number in [11, 12, 13] {
        assert!(tracks.start(&receipt(number, 1, 1)));
    }
    assert_eq!(position(tracks.with(&group, &receipt(12, 1, 1))), None, "11 is in flight");
    tracks.finish(&receipt(12, 1, 1), None);
    assert_eq!(position(tracks.with(&group, &receipt(11, 1, 1))), Some((1, 12)));
    tracks.finish(&receipt(11, 1, 1), Some(Position(12)));
    assert!(tracks.unstored(&group).is_empty());
}

#[test]
fn what_finished_out_of_order_is_left_for_the_idle_moment() {
    let (mut tracks, group) = (tracks(0, 1), Name::from("g"));
    tracks.start(&receipt(1, 1, 1));
    tracks.start(&receipt(2, 1, 1));
    let (first, second) = (receipt(1, 1, 1), receipt(2, 1, 1));
    let (a, b) = (tracks.with(&group, &first), tracks.with(&group, &second));
    assert_eq!((position(a), position(b)), (Some((1, 1)), None));
    tracks.finish(&first, Some(Position(1)));
    tracks.finish(&second, None);
    let left = tracks.unstored(&group);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].position, Position(2));
    assert!(tracks.unstored(&group).is_empty(), "told once");
}

#[test]
fn a_receipt_of_a_former_assignment_moves_nothing() {
    let (mut tracks, group) = (tracks(0, 1), Name::from("g"));
    tracks.start(&receipt(1, 1, 7));
    tracks.revoke("t", 0);
    assert!(tracks.with(&group, &receipt(1, 1, 7)).is_none());
    tracks.assign(&Assignment { topic: "t".into(), partition: 0, epoch: 1, position: Position(0) });
    tracks.start(&receipt(1, 1, 8));
    tracks.finish(&receipt(1, 1, 7), Some(Position(1)));
    assert!(tracks.unstored(&group).is_empty(), "position 1 of generation 8 is not done");
}

#[test]
fn progress_names_the_epoch_of_its_own_position() {
    let (mut tracks, group) = (tracks(5, 1), Name::from("g"));
    tracks.start(&receipt(6, 1, 1));
    tracks.start(&receipt(7, 2, 1));
    tracks.start(&receipt(8, 2, 1));
    assert_eq!(position(tracks.with(&group, &receipt(6, 1, 1))), Some((1, 6)));
    tracks.finish(&receipt(6, 1, 1), Some(Position(6)));
    assert_eq!(position(tracks.with(&group, &receipt(7, 2, 1))), Some((2, 7)));
}
