//! A definition that cannot be meant is refused when it is built.

use switchboard_saga::{Definition, InvalidDefinition, Step};

use crate::trip::{LeaveRoom, Look, Pay, REPLIES, TakeRoom, Trip};

fn check(steps: Vec<Step<Trip>>, expected: Result<usize, InvalidDefinition>) {
    let definition = steps.into_iter().fold(Definition::new("trip", REPLIES), Definition::step);
    assert_eq!(definition.build().map(|definition| definition.shape().pivot), expected);
}

fn look() -> Step<Trip> {
    Step::new("look", Look::of).changes_nothing()
}

fn room() -> Step<Trip> {
    Step::new("room", TakeRoom::of)
}

fn pay() -> Step<Trip> {
    Step::new("pay", Pay::of)
}

#[test]
fn what_comes_before_the_pivot_can_be_undone_or_says_that_it_need_not() {
    check(vec![look(), room().undo(LeaveRoom::of), pay()], Ok(2));
    check(vec![room(), pay()], Err(InvalidDefinition::NoUndo("room")));
    check(vec![room().pivot(), pay()], Ok(0));
}

#[test]
fn what_comes_after_the_pivot_is_never_undone() {
    let after = vec![look().pivot(), room().undo(LeaveRoom::of)];
    check(after, Err(InvalidDefinition::UndoAfterPivot("room")));
}

#[test]
fn there_is_something_to_do_and_each_thing_once_and_one_pivot() {
    check(vec![], Err(InvalidDefinition::NoSteps("trip")));
    check(vec![look(), look(), pay()], Err(InvalidDefinition::Twice("look")));
    check(vec![look().pivot(), pay().pivot()], Err(InvalidDefinition::TwoPivots("pay")));
}
