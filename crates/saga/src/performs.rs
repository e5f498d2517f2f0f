//! Registering what a participant answers, a line a command.

use std::future::Future;
use std::sync::Arc;

use switchboard_core::{Envelope, Message};
use switchboard_handler::{Failure, Group};

use crate::{Action, Answer, Participant};

/// A group whose handlers answer the commands of sagas.
///
/// Each handler gets a clone of the state and the command. As any handler, it may run again when
/// its conditions did not hold; as any participant's, it is not run for what was answered before.
///
/// ```
/// # use std::sync::Arc;
/// # use serde::{Deserialize, Serialize};
/// # use switchboard_core::{Rng, SystemClock, impl_message};
/// # use switchboard_handler::Group;
/// # use switchboard_message::MemoryBroker;
/// # use switchboard_saga::{Answer, EFFECTS, Participant, Performs};
/// # use switchboard_store::{MemoryStore, Unit};
/// # let clock = Arc::new(SystemClock);
/// # let broker = Arc::new(MemoryBroker::new(clock.clone()));
/// # let store = Arc::new(MemoryStore::new("hotel", &[&EFFECTS], clock.clone(), Rng::from_seed(1)));
/// # #[derive(Serialize, Deserialize)]
/// # struct Book { room: String }
/// # impl_message!(Book, "hotel", "hotel.book", key = room);
/// # #[derive(Serialize, Deserialize)]
/// # struct Unbook { room: String }
/// # impl_message!(Unbook, "hotel", "hotel.unbook", key = room);
/// let seat = Participant::new(store.clone());
/// let group = Group::new("hotel", store, broker, clock, Rng::from_seed(2))
///     .performs(&seat, &(), |(), book: Book| async move {
///         Ok(if book.room == "101" { Answer::rejected("taken") } else { Answer::done(Unit::new()) })
///     })
///     .undoes(&seat, &(), |(), _: Unbook| async { Ok(Answer::done(Unit::new())) });
/// # drop(group);
/// ```
pub trait Performs: Sized {
    /// Answers each command of this type by doing a step, as [`Participant::perform`] does.
    #[must_use]
    fn performs<S, M, F, Fut>(self, participant: &Participant, state: &S, work: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        M: Message,
        F: Fn(S, M) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Answer, Failure>> + Send + 'static;

    /// Answers each command of this type by undoing a step, as [`Participant::undo`] does.
    #[must_use]
    fn undoes<S, M, F, Fut>(self, participant: &Participant, state: &S, work: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        M: Message,
        F: Fn(S, M) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Answer, Failure>> + Send + 'static;
}

impl Performs for Group {
    fn performs<S, M, F, Fut>(self, participant: &Participant, state: &S, work: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        M: Message,
        F: Fn(S, M) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Answer, Failure>> + Send + 'static,
    {
        answering(self, Action::Do, participant, state, work)
    }

    fn undoes<S, M, F, Fut>(self, participant: &Participant, state: &S, work: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        M: Message,
        F: Fn(S, M) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Answer, Failure>> + Send + 'static,
    {
        answering(self, Action::Undo, participant, state, work)
    }
}

fn answering<S, M, F, Fut>(
    group: Group,
    action: Action,
    participant: &Participant,
    state: &S,
    work: F,
) -> Group
where
    S: Clone + Send + Sync + 'static,
    M: Message,
    F: Fn(S, M) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Answer, Failure>> + Send + 'static,
{
    let given = (participant.clone(), state.clone(), Arc::new(work));
    group.on::<M, _, _>(move |command, cause: Arc<Envelope>| {
        let (participant, state, work) = given.clone();
        async move {
            let work = || work(state, command);
            match action {
                Action::Do => participant.perform(&cause, work).await,
                Action::Undo => participant.undo(&cause, work).await,
            }
        }
    })
}
