//! Answers the order saga: sends the parcel, or says why not.

use shop_contracts::shipping::Ship;
use shop_edge::Deps;
use switchboard_core::{Retryable, Verdict};
use switchboard_handler::{Failure, Group};
use switchboard_saga::{Answer, Participant, Performs};

use crate::App;
use crate::app::Error;

/// The group that answers the order saga.
pub fn saga(app: &App, deps: &Deps) -> Group {
    let seat = Participant::new(deps.store.clone());
    deps.group("shipping.saga")
        .performs(&seat, app, |app: App, command: Ship| async move { answer(&app, &command).await })
}

async fn answer(app: &App, command: &Ship) -> Result<Answer, Failure> {
    Ok(match app.ship(command).await? {
        Ok((unit, shipment)) => {
            let reply = serde_json::to_value(shipment.shipped()).map_err(Failure::terminal)?;
            Answer::Done { unit, reply }
        }
        Err(refusal) => Answer::rejected(refusal.code()),
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
