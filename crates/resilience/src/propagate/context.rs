//! A [`Call`] as the [`Context`] of a message, and back.
//!
//! A call's deadline is a moment of this process's steady clock, which means nothing elsewhere; a message's is a time of day, because
//! nobody knows how long it will lie in a queue.

use switchboard_core::{Clock, Context};
use tokio::time::Instant;

use crate::Call;

/// The call that a message with this context asks for. It may be repeated when it has an
/// idempotency key.
pub fn call_of(context: &Context, clock: &dyn Clock, now: Instant) -> Call {
    let mut call = Call::new().with_priority(context.priority);
    call.attempt = context.attempt;
    call.is_repeatable = context.idempotency_key.is_some();
    match context.deadline {
        Some(deadline) => call.within(deadline.since(clock.now()), now),
        None => call,
    }
}

/// Writes a call into the context of a message that it sends. Key and causality stay.
pub fn carry(call: &Call, clock: &dyn Clock, now: Instant, context: &mut Context) {
    context.deadline = call.remaining(now).map(|remaining| clock.now().plus(remaining));
    context.attempt = call.attempt;
    context.priority = call.priority;
}
