//! Money that its owner moves, in whatever protocol: who may, what may be said, and once for each key.

use shop_edge::{Idempotent, Input, Principal, Problem, Stored};
use switchboard_core::Context;

use super::rest::movement_made;
use crate::app::{App, Error, Moment, Movement, View};
use crate::domain::Refusal;

/// The largest amount of one movement, in minor units.
const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// Who wants which account to change, and how.
pub(super) struct Asked {
    pub(super) caller: Principal,
    pub(super) account_id: String,
    pub(super) context: Context,
    pub(super) key: Option<String>,
    pub(super) movement: Movement,
}

/// Moves the money that the input names.
pub(super) async fn moved(
    app: &App,
    idempotent: &Idempotent,
    asked: Asked,
    mut input: Input,
) -> Result<Stored, Problem> {
    let Asked { caller, account_id: id, context, key, movement } = asked;
    let view = app.account(&id, Moment::Now).await?;
    caller.owns_or_404(&view.account.owner_id)?;
    if caller.user_id != view.account.owner_id {
        return Err(Problem::forbidden("Only the owner moves money."));
    }
    let body = input.as_value();
    let amount = input.integer("amount", 1..=AMOUNT_MAX);
    input.finish()?;
    let answer = |moved: Result<&View, Refusal>| match moved {
        Ok(view) => movement_made(view, movement, amount),
        Err(refusal) => Stored::refused(&Problem::from(Error::from(refusal))),
    };
    let Some(key) = key else {
        return Ok(app.move_money(context, &id, movement, amount, None, answer).await?);
    };
    let operation = format!("{movement:?} {id}");
    idempotent
        .once(&caller.user_id, &operation, &key, &body, |ticket| async {
            let ticket = Some(ticket);
            Ok(app.move_money(context, &id, movement, amount, ticket, answer).await?)
        })
        .await
}
