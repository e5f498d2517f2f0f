//! Answers the order saga, and closes the accounts of those who leave.

use shop_contracts::payments::{Charge, Refund, VerifyAccount};
use shop_contracts::users::UserDeleted;
use shop_edge::Deps;
use switchboard_handler::{Failure, Group};
use switchboard_saga::{Answer, Participant, Performs};
use switchboard_store::table::SELECT_LIMIT;
use switchboard_store::{Unit, Value};

use crate::App;
use crate::app::{happened, unchanged};
use crate::domain::open::ACCOUNTS_MAX;
use crate::domain::{Account, AccountEvent, Refusal, charge};
use crate::tables::OWNERS;

/// The group that answers the order saga.
pub fn saga(app: &App, deps: &Deps) -> Group {
    let seat = Participant::new(deps.store.clone());
    deps.group("payments.saga")
        .performs(&seat, app, |app: App, command: VerifyAccount| async move {
            app.verify(&command).await
        })
        .performs(&seat, app, |app: App, command: Charge| async move { app.charge(&command).await })
        .undoes(&seat, app, |app: App, command: Refund| async move { app.refund(&command).await })
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
            Ok(()) => Answer::done(Unit::new()),
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
        Ok(event) => Answer::done(happened(id, account, &event)),
        Err(refusal) => rejected(refusal, Unit::new().expect(unchanged(id, account))),
    }
}

fn rejected(refusal: Refusal, unit: Unit) -> Answer {
    Answer::Rejected { unit, reason: refusal.code().to_owned() }
}
