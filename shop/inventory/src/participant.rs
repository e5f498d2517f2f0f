//! Answers the order saga: sets items aside, puts them back, sells them.

use shop_contracts::inventory::{Release, Reserve, TakeStock};
use shop_edge::Deps;
use switchboard_handler::{Failure, Group};
use switchboard_saga::{Answer, Participant, Performs};
use switchboard_store::{Expect, Unit};

use crate::App;
use crate::domain::{Refusal, Step, release, reserve, take};

/// The group that answers the order saga.
pub fn saga(app: &App, deps: &Deps) -> Group {
    let seat = Participant::new(deps.store.clone());
    deps.group("inventory.saga")
        .performs(
            &seat,
            app,
            |app: App, command: Reserve| async move { app.reserve(&command).await },
        )
        .undoes(&seat, app, |app: App, command: Release| async move { app.release(&command).await })
        .performs(
            &seat,
            app,
            |app: App, command: TakeStock| async move { app.take(&command).await },
        )
}

impl App {
    async fn reserve(&self, command: &Reserve) -> Result<Answer, Failure> {
        let loaded = self.reservation(&command.order_id).await?;
        let levels = self.levels(&command.items).await?;
        let decided = reserve::decide(loaded.reservation.as_ref(), &command.items, &levels);
        Ok(self.answer(&command.order_id, loaded.unchanged, decided))
    }

    async fn release(&self, command: &Release) -> Result<Answer, Failure> {
        let loaded = self.reservation(&command.order_id).await?;
        let decided = release::decide(loaded.reservation.as_ref());
        Ok(self.answer(&command.order_id, loaded.unchanged, decided))
    }

    async fn take(&self, command: &TakeStock) -> Result<Answer, Failure> {
        let loaded = self.reservation(&command.order_id).await?;
        let decided = take::decide(loaded.reservation.as_ref());
        Ok(self.answer(&command.order_id, loaded.unchanged, decided))
    }

    /// An answer holds for the reservation that was looked at: if it has changed since, the
    /// handler runs again and decides again.
    fn answer(
        &self,
        order_id: &str,
        unchanged: Expect,
        decided: Result<Option<Step>, Refusal>,
    ) -> Answer {
        match decided {
            Ok(Some(step)) => Answer::done(self.stepped(order_id, unchanged, &step)),
            Ok(None) => Answer::done(Unit::new().expect(unchanged)),
            Err(refusal) => Answer::Rejected {
                unit: Unit::new().expect(unchanged),
                reason: refusal.code().to_owned(),
            },
        }
    }
}
