//! The group that tells customers in the shop.

use std::sync::Arc;

use shop_edge::Deps;
use switchboard_core::Envelope;
use switchboard_handler::{Failure, Group};
use switchboard_store::{Unit, Value};

use crate::App;
use crate::domain::{Happening, identity, notice};
use crate::router::happened_at;
use crate::routes::Destination;
use crate::tables::NOTIFICATIONS;

/// The group.
pub fn group(app: &App, deps: &Deps) -> Group {
    let app = app.clone();
    deps.group("notifications.notification").on_any(
        Destination::Notification.topic(),
        move |copy: Arc<Envelope>| {
            let app = app.clone();
            async move { app.tell(&copy).await }
        },
    )
}

impl App {
    async fn tell(&self, copy: &Envelope) -> Result<Unit, Failure> {
        self.switches().of(Destination::Notification).check()?;
        let Some(happening) = Happening::read(copy).map_err(Failure::terminal)? else {
            return Ok(Unit::new());
        };
        if let Happening::UserDeleted(gone) = &happening {
            let rows = self.all_of(&NOTIFICATIONS, &gone.user_id).await?;
            return Ok(rows
                .into_iter()
                .fold(Unit::new(), |unit, row| unit.delete(&NOTIFICATIONS, row.key)));
        }
        let Some(notice) = notice::about(&happening) else { return Ok(Unit::new()) };
        let cells = [
            ("user_id", Value::from(happening.user_id())),
            ("type", Value::from(notice.kind)),
            ("title", Value::from(notice.title)),
            ("body", Value::from(notice.body)),
            ("order_id", Value::from(happening.order_id())),
            ("at", Value::from(happened_at(copy))),
        ];
        Ok(Unit::new().put(&NOTIFICATIONS, identity::of(&happening), cells))
    }
}
