//! Answers the order saga: sends the parcel, or says why not.

use std::sync::Arc;

use shop_contracts::shipping::Ship;
use shop_edge::Deps;
use switchboard_core::{Envelope, Retryable, Verdict};
use switchboard_handler::{Failure, Group};
use switchboard_saga::{Answer, Participant};
use switchboard_store::Unit;

use crate::App;
use crate::app::Error;

/// The group that answers the order saga.
pub fn saga(app: &App, deps: &Deps) -> Group {
    let (app, participant) = (app.clone(), Participant::new(deps.store.clone()));
    deps.group("shipping.saga").on::<Ship, _, _>(move |command, cause: Arc<Envelope>| {
        let (app, participant) = (app.clone(), participant.clone());
        async move {
            let work = || async { answer(&app, &command).await };
            participant.perform(&cause, work).await
        }
    })
}

async fn answer(app: &App, command: &Ship) -> Result<Answer, Failure> {
    Ok(match app.ship(command).await? {
        Ok((unit, shipment)) => {
            let reply = serde_json::to_value(shipment.shipped()).map_err(Failure::terminal)?;
            Answer::Done { unit, reply }
        }
        Err(refusal) => Answer::Rejected { unit: Unit::new(), reason: refusal.code().to_owned() },
    })
}

impl Retryable for Error {
    fn verdict(&self) -> Verdict {
        match self {
            Self::NotFound => Verdict::Terminal,
            Self::Read(error) => error.verdict(),
        }
    }
}
