//! Given these events, when this is decided, then that follows.
//!
//! For decisions that are pure: a state folded from events goes in, facts or a refusal come out.
//!
//! ```
//! use switchboard_testkit::decision::given;
//!
//! #[derive(Debug, PartialEq)]
//! enum Refusal { NotEnough }
//! fn balance(events: Vec<i64>) -> i64 { events.iter().sum() }
//! fn withdraw(balance: &i64, amount: i64) -> Result<i64, Refusal> {
//!     if *balance < amount { Err(Refusal::NotEnough) } else { Ok(-amount) }
//! }
//!
//! given(balance, [500, -100]).when(|balance| withdraw(balance, 300)).then(-300);
//! given(balance, [500, -100]).when(|balance| withdraw(balance, 500)).then_refused(Refusal::NotEnough);
//! ```

use std::fmt::Debug;

/// A state to decide in.
#[derive(Clone, Debug)]
pub struct Given<S> {
    state: S,
}

/// What was decided, and in which state.
#[derive(Clone, Debug)]
#[must_use = "say what must follow: `then`, `then_refused`"]
pub struct Decided<S, T, R> {
    state: S,
    decided: Result<T, R>,
}

/// The state that these events lead to, by the fold that the service itself uses.
pub fn given<E, S>(
    fold: impl FnOnce(Vec<E>) -> S,
    events: impl IntoIterator<Item = E>,
) -> Given<S> {
    Given { state: fold(events.into_iter().collect()) }
}

/// A state as it is, where no events lead to it.
pub fn given_state<S>(state: S) -> Given<S> {
    Given { state }
}

// === impl Given ===

impl<S> Given<S> {
    /// Decides. The decision sees the state only: whatever else it needs, time included, is an
    /// argument that the test chooses.
    pub fn when<T, R>(self, decide: impl FnOnce(&S) -> Result<T, R>) -> Decided<S, T, R> {
        let decided = decide(&self.state);
        Decided { state: self.state, decided }
    }
}

// === impl Decided ===

impl<S: Debug, T: Debug + PartialEq, R: Debug + PartialEq> Decided<S, T, R> {
    /// It was granted, with exactly this outcome.
    ///
    /// # Panics
    /// When it was refused, or something else was decided.
    #[track_caller]
    pub fn then(self, expected: T) {
        let Self { state, decided } = self;
        match decided {
            Ok(decided) => assert_eq!(decided, expected, "decided in {state:?}"),
            Err(refusal) => panic!("refused with {refusal:?} in {state:?}, not {expected:?}"),
        }
    }

    /// It was refused, for exactly this reason.
    ///
    /// # Panics
    /// When it was granted, or refused for another reason.
    #[track_caller]
    pub fn then_refused(self, expected: R) {
        let Self { state, decided } = self;
        match decided {
            Err(refusal) => assert_eq!(refusal, expected, "refused in {state:?}"),
            Ok(decided) => panic!("decided {decided:?} in {state:?}, not refused: {expected:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::{given, given_state};

    fn count(events: Vec<()>) -> usize {
        events.len()
    }

    fn two(state: &usize) -> Result<&'static str, &'static str> {
        if *state == 2 { Ok("two") } else { Err("not two") }
    }

    #[test]
    fn what_holds_passes() {
        given(count, [(), ()]).when(two).then("two");
        given(count, [()]).when(two).then_refused("not two");
        given_state(2).when(two).then("two");
    }

    /// A helper that cannot fail would prove nothing.
    #[test]
    fn what_does_not_hold_fails() {
        assert!(catch_unwind(|| given_state(1).when(two).then("two")).is_err());
        assert!(catch_unwind(|| given_state(2).when(two).then("three")).is_err());
        assert!(catch_unwind(|| given_state(2).when(two).then_refused("not two")).is_err());
        assert!(catch_unwind(|| given_state(1).when(two).then_refused("other")).is_err());
    }
}
