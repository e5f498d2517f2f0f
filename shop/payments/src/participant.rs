//! Answers the order saga, and closes the accounts of those who leave.

use std::sync::Arc;

use shop_contracts::payments::{Charge, Refund, VerifyAccount};
use shop_contracts::users::UserDeleted;
use shop_edge::Deps;
use switchboard_core::Envelope;
use switchboard_handler::{Failure, Group};
use switchboard_saga::{Answer, Participant};
use switchboard_store::table::SELECT_LIMIT;
use switchboard_store::{Unit, Value};

use crate::App;
use crate::app::{happened, unchanged};
use crate::domain::open::ACCOUNTS_MAX;
use crate::domain::{Account, AccountEvent, Refusal, charge};
use crate::tables::OWNERS;

/// The group that answers the order saga.
pub fn saga(app: &App, deps: &Deps) -> Group {
    let participant = Participant::new(deps.store.clone());
    let seat = || (app.clone(), participant.clone());
    let (verify, pay, back) = (seat(), seat(), seat());
    deps.group("payments.saga")
        .on::<VerifyAccount, _, _>(move |command, cause: Arc<Envelope>| {
            let (app, participant) = verify.clone();
            async move {
                let work = || async { app.verify(&command).await };
                participant.perform(&cause, work).await
            }
        })
        .on::<Charge, _, _>(move |command, cause: Arc<Envelope>| {
            let (app, participant) = pay.clone();
            async move {
                let work = || async { app.charge(&command).await };
                participant.perform(&cause, work).await
            }
        })
        .on::<Refund, _, _>(move |command, cause: Arc<Envelope>| {
            let (app, participant) = back.clone();
            async move {
                let work = || async { app.refund(&command).await };
                participant.undo(&cause, work).await
            }
        })
}

/// The group that follows users.
pub fn users(app: &App, deps: &Deps) -> Group {
    let app = app.clone();
    deps.group("payments.users").on::<UserDeleted, _, _>(move |gone, _cause| {
        let app = app.clone();
        async move { app.close_all(&gone.user_id).await }
    })
}

impl App {
    async fn verify(&self, command: &VerifyAccount) -> Result<Answer, Failure> {
        let account = self.load(&command.account_id).await?;
        Ok(match charge::verify(&account, command) {
            Ok(()) => Answer::Done { unit: Unit::new(), reply: serde_json::Value::Null },
            Err(refusal) => rejected(refusal, Unit::new()),
        })
    }

    async fn charge(&self, command: &Charge) -> Result<Answer, Failure> {
        let account = self.load(&command.account_id).await?;
        Ok(answer(&command.account_id, &account, charge::decide(&account, command)))
    }

    async fn refund(&self, command: &Refund) -> Result<Answer, Failure> {
        let account = self.load(&command.account_id).await?;
        Ok(answer(&command.account_id, &account, charge::refund(&account, command)))
    }

    /// Closes what somebody has who leaves, and sees to it that nothing is opened after them.
    async fn close_all(&self, owner: &str) -> Result<Unit, Failure> {
        const { assert!(ACCOUNTS_MAX as usize <= SELECT_LIMIT, "one select finds all of them") };
        let (_, unchanged) = self.owner(owner).await?;
        let accounts = self.accounts(owner, None, SELECT_LIMIT).await.map_err(Failure::retry)?;
        let departed = [("departed", Value::from(true))];
        let unit = Unit::new().expect(unchanged).put(&OWNERS, owner, departed);
        let open = accounts.iter().filter(|view| !view.account.is_closed);
        Ok(open.fold(unit, |unit, view| {
            unit.and(happened(&view.id, &view.account, &AccountEvent::Closed))
        }))
    }
}

/// A refusal holds for the account that was looked at: if it has changed since, decide again.
fn answer(id: &str, account: &Account, decided: Result<AccountEvent, Refusal>) -> Answer {
    match decided {
        Ok(event) => {
            Answer::Done { unit: happened(id, account, &event), reply: serde_json::Value::Null }
        }
        Err(refusal) => rejected(refusal, Unit::new().expect(unchanged(id, account))),
    }
}

fn rejected(refusal: Refusal, unit: Unit) -> Answer {
    Answer::Rejected { unit, reason: refusal.code().to_owned() }
}
