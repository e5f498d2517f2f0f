//! The group that counts: in all and by the day on which it happened.

use std::sync::Arc;

use shop_edge::Deps;
use switchboard_core::Envelope;
use switchboard_handler::{Failure, Group};
use switchboard_store::{Unit, Value};

use crate::App;
use crate::app::{ALL_DAYS, day_of};
use crate::domain::{Happening, counting};
use crate::router::happened_at;
use crate::routes::Destination;
use crate::tables::COUNTERS;

/// The group.
pub fn group(app: &App, deps: &Deps) -> Group {
    let app = app.clone();
    deps.group("notifications.analytics").on_any(
        Destination::Analytics.topic(),
        move |copy: Arc<Envelope>| {
            let app = app.clone();
            async move { app.count(&copy) }
        },
    )
}

impl App {
    fn count(&self, copy: &Envelope) -> Result<Unit, Failure> {
        self.switches().of(Destination::Analytics).check()?;
        let Some(happening) = Happening::read(copy).map_err(Failure::terminal)? else {
            return Ok(Unit::new());
        };
        let day = day_of(happened_at(copy));
        let counts = counting::of(&happening);
        Ok(counts.iter().fold(Unit::new(), |unit, (name, number)| {
            [&*day, ALL_DAYS].into_iter().fold(unit, |unit, day| {
                let key = format!("{day}/{name}");
                let cells = [("day", Value::from(day)), ("name", Value::from(&**name))];
                unit.put(&COUNTERS, &*key, cells).add(&COUNTERS, key, "value", *number)
            })
        }))
    }
}
