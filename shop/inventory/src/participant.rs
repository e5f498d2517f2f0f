//! Answers the order saga: sets items aside, puts them back, sells them.

use std::sync::Arc;

use serde_json::Value;
use shop_contracts::inventory::{Release, Reserve, TakeStock};
use shop_edge::Deps;
use switchboard_core::Envelope;
use switchboard_handler::{Failure, Group};
use switchboard_saga::{Answer, Participant};
use switchboard_store::{Expect, Unit};

use crate::App;
use crate::domain::{Refusal, Step, release, reserve, take};

/// The group that answers the order saga.
pub fn saga(app: &App, deps: &Deps) -> Group {
    let participant = Participant::new(deps.store.clone());
    let seat = || (app.clone(), participant.clone());
    let (aside, back, sold) = (seat(), seat(), seat());
    deps.group("inventory.saga")
        .on::<Reserve, _, _>(move |command, cause: Arc<Envelope>| {
            let (app, participant) = aside.clone();
            async move {
                let work = || async { app.reserve(&command).await };
                participant.perform(&cause, work).await
            }
        })
        .on::<Release, _, _>(move |command, cause: Arc<Envelope>| {
            let (app, participant) = back.clone();
            async move {
                let work = || async { app.release(&command).await };
                participant.undo(&cause, work).await
            }
        })
        .on::<TakeStock, _, _>(move |command, cause: Arc<Envelope>| {
            let (app, participant) = sold.clone();
            async move {
                let work = || async { app.take(&command).await };
                participant.perform(&cause, work).await
            }
        })
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
            Ok(Some(step)) => {
                Answer::Done { unit: self.stepped(order_id, unchanged, &step), reply: Value::Null }
            }
            Ok(None) => Answer::Done { unit: Unit::new().expect(unchanged), reply: Value::Null },
            Err(refusal) => Answer::Rejected {
                unit: Unit::new().expect(unchanged),
                reason: refusal.code().to_owned(),
            },
        }
    }
}
