//! What an operator sees of a bulkhead, and can do to it.

use std::time::Duration;

use super::{Bulkhead, Options};
use crate::control::{Action, ControlError, Controlled, View};
use crate::settings::{Changes, Mode};

/// Can be isolated, disabled, released, and given other `places`, `queue` and `max_wait` (seconds).
/// Calls that wait when it is isolated go on waiting, as long as they may.
impl Controlled for Bulkhead {
    fn view(&self) -> View {
        let state = self.shared.state.lock();
        let places = &state.places;
        let judged = if places.free() == 0 { "full" } else { "ok" };
        View {
            name: self.shared.name,
            kind: "bulkhead",
            state: places.mode().or(judged),
            remaining_open: None,
            figures: vec![
                ("taken", places.taken() as f64),
                ("free", places.free() as f64),
                ("waiting", places.waiting() as f64),
            ],
            settings: vec![
                ("places", places.limit() as f64),
                ("queue", places.queue() as f64),
                ("max_wait", state.max_wait.as_secs_f64()),
            ],
            transitions: Vec::new(),
        }
    }

    fn act(&self, action: &Action) -> Result<(), ControlError> {
        let settings = match action {
            Action::Reconfigure { settings } => settings,
            other => {
                let mode = Mode::asked_by(other, "bulkhead")?;
                self.change(|state| state.places.switch(mode));
                return Ok(());
            }
        };
        let changes = Changes::of(settings, &["places", "queue", "max_wait"])?;
        let (places, queue, max_wait) = {
            let state = self.shared.state.lock();
            (state.places.limit(), state.places.queue(), state.max_wait)
        };
        let places = changes.whole("places", places, 1..=Options::MOST_PLACES)?;
        let queue = changes.whole("queue", queue, 0..=Options::MOST_PLACES)?;
        let waits = Duration::ZERO..=Options::LONGEST_WAIT;
        let max_wait = changes.seconds("max_wait", max_wait, waits)?;
        self.change(|state| {
            state.max_wait = max_wait;
            state.places.resize(places, queue)
        });
        Ok(())
    }

    fn publish(&self) {
        let (taken, places) = {
            let state = self.shared.state.lock();
            (state.places.taken(), state.places.limit())
        };
        self.shared.numbers.publish_places(taken, places);
    }
}
