//! Accounts over gRPC.

use std::sync::Arc;

use serde_json::{Value, json};
use shop_contracts::Money;
use shop_contracts::rpc::payments as wire;
use shop_contracts::rpc::payments::payment_service_server::{PaymentService, PaymentServiceServer};
use shop_contracts::rpc::{DESCRIPTORS, from_timestamp, timestamp};
use shop_edge::idempotency::OptionalIdempotencyKey;
use shop_edge::rpc::told::{text, told};
use shop_edge::rpc::{ANSWER_LIMIT, Answer, Called, MESSAGE_LIMIT, answer, batch, opened};
use shop_edge::{Auth, Deps, Idempotent, Input, Page, Problem, Rpc};
use switchboard_store::{StoredEvent, Value as Cell};
use tonic::Request;
use wire::AccountEventType as Kind;

use super::moving::{Asked, moved};
use crate::app::{App, Error, Moment, Movement, View};
use crate::domain::AccountEvent;

struct Edge {
    app: App,
    auth: Arc<Auth>,
    idempotent: Idempotent,
}

/// The service as it is described.
pub fn services(app: App, deps: &Deps) -> Rpc {
    let idempotent = Idempotent::new(deps.store.clone(), deps.clock.clone());
    let server = PaymentServiceServer::new(Edge { app, auth: deps.auth.clone(), idempotent })
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(ANSWER_LIMIT);
    Rpc::of(deps, DESCRIPTORS).with(server)
}

// === impl Edge ===

impl Edge {
    async fn opened(
        &self,
        called: &Called,
        asked: wire::CreateAccountRequest,
    ) -> Result<wire::CreateAccountResponse, Problem> {
        let caller = called.principal()?;
        let mut input = Input::of(json!({ "currency": asked.currency }));
        let currency = input.capitals("currency", 3);
        input.finish()?;
        let view = self.app.open(called.context(), &caller.user_id, &currency).await?;
        Ok(wire::CreateAccountResponse { account: Some(shown(view)) })
    }

    async fn one(
        &self,
        called: &Called,
        asked: wire::GetAccountRequest,
    ) -> Result<wire::GetAccountResponse, Problem> {
        use wire::get_account_request::Moment as Asked;
        let caller = called.principal()?;
        let moment = match asked.moment {
            None => Moment::Now,
            Some(Asked::Version(0)) => {
                return Err(Problem::bad_request("`version` must be a whole number from 1 on."));
            }
            Some(Asked::Version(version)) => Moment::Version(version),
            Some(Asked::At(at)) => Moment::At(
                from_timestamp(&at)
                    .ok_or_else(|| Problem::bad_request("`at` is not a moment of this era."))?,
            ),
        };
        let view = self.app.account(&asked.id, moment).await?;
        caller.owns_or_404(&view.account.owner_id)?;
        Ok(wire::GetAccountResponse { account: Some(shown(view)) })
    }

    async fn listed(
        &self,
        called: &Called,
        asked: wire::ListAccountsRequest,
    ) -> Result<wire::ListAccountsResponse, Problem> {
        let caller = called.principal()?;
        let filter = format!("accounts of {}", caller.user_id);
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let after = page.after(&self.auth, &filter)?;
        let views = self.app.accounts(&caller.user_id, after, page.limit + 1).await?;
        let place = |view: &View| (view.created_at.into(), view.id.clone());
        let views = page.collect(&self.auth, &filter, views, place);
        Ok(wire::ListAccountsResponse {
            accounts: views.items.into_iter().map(shown).collect(),
            next_page_token: views.next.unwrap_or_default(),
        })
    }

    async fn moved(
        &self,
        called: &Called,
        movement: Movement,
        (account_id, amount, key): (String, i64, String),
    ) -> Result<(wire::Movement, bool), Problem> {
        let asked = Asked {
            caller: called.principal()?,
            account_id,
            context: called.context(),
            key: OptionalIdempotencyKey::of(&key)?,
            movement,
        };
        let input = Input::of(json!({ "amount": amount }));
        let (body, replayed) = told(moved(&self.app, &self.idempotent, asked, input).await?)?;
        Ok((movement_of(&body), replayed))
    }

    async fn events(
        &self,
        called: &Called,
        asked: wire::ListAccountEventsRequest,
    ) -> Result<wire::ListAccountEventsResponse, Problem> {
        let (caller, id) = (called.principal()?, asked.account_id);
        let view = self.app.account(&id, Moment::Now).await?;
        caller.owns_or_404(&view.account.owner_id)?;
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let wire::EventsOfAccount { events, next_page_token, .. } =
            self.page_of_events(view, &page).await?;
        Ok(wire::ListAccountEventsResponse { events, next_page_token })
    }

    async fn page_of_events(
        &self,
        view: View,
        page: &Page,
    ) -> Result<wire::EventsOfAccount, Problem> {
        let id = view.id;
        let filter = format!("events of {id}");
        let after = match page.after(&self.auth, &filter)? {
            Some((Cell::Integer(seq), _)) => seq.unsigned_abs(),
            _ => 0,
        };
        let events = self.app.events(&id, after, page.limit + 1).await?;
        let place = |event: &StoredEvent| (Cell::from(event.version.cast_signed()), id.clone());
        let events = page.collect(&self.auth, &filter, events, place);
        let currency = &view.account.currency;
        let items = events.items.iter().map(|event| happened(event, currency));
        Ok(wire::EventsOfAccount {
            events: items.collect::<Result<_, _>>()?,
            next_page_token: events.next.unwrap_or_default(),
            account_id: id,
        })
    }

    async fn events_of_many(
        &self,
        called: &Called,
        asked: wire::BatchListAccountEventsRequest,
    ) -> Result<wire::BatchListAccountEventsResponse, Problem> {
        let caller = &called.principal()?;
        let ids = batch::distinct(asked.account_ids, "account_ids")?;
        let page = &Page::of(asked.limit, "")?;
        let read = |id: String| async move {
            let view = match self.app.account(&id, Moment::Now).await {
                Err(Error::NotFound) => return Ok(None),
                view => view?,
            };
            if caller.owns_or_404(&view.account.owner_id).is_err() {
                return Ok(None);
            }
            self.page_of_events(view, page).await.map(Some)
        };
        let accounts = batch::found::<_, Problem, _>(ids, read).await?;
        Ok(wire::BatchListAccountEventsResponse { accounts })
    }

    async fn found(
        &self,
        called: &Called,
        asked: wire::BatchGetAccountsRequest,
    ) -> Result<wire::BatchGetAccountsResponse, Problem> {
        let caller = called.principal()?;
        let ids = batch::distinct(asked.ids, "ids")?;
        let read = |id: String| async move {
            match self.app.account(&id, Moment::Now).await {
                Ok(view) => Ok(Some(view)),
                Err(Error::NotFound) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let found = batch::found(ids, read).await?.into_iter();
        let own = found.filter(|view| caller.owns_or_404(&view.account.owner_id).is_ok());
        Ok(wire::BatchGetAccountsResponse { accounts: own.map(shown).collect() })
    }
}

#[tonic::async_trait]
impl PaymentService for Edge {
    async fn create_account(
        &self,
        request: Request<wire::CreateAccountRequest>,
    ) -> Answer<wire::CreateAccountResponse> {
        let (called, asked) = opened(request)?;
        answer(self.opened(&called, asked).await)
    }

    async fn get_account(
        &self,
        request: Request<wire::GetAccountRequest>,
    ) -> Answer<wire::GetAccountResponse> {
        let (called, asked) = opened(request)?;
        answer(self.one(&called, asked).await)
    }

    async fn list_accounts(
        &self,
        request: Request<wire::ListAccountsRequest>,
    ) -> Answer<wire::ListAccountsResponse> {
        let (called, asked) = opened(request)?;
        answer(self.listed(&called, asked).await)
    }

    async fn deposit(
        &self,
        request: Request<wire::DepositRequest>,
    ) -> Answer<wire::DepositResponse> {
        let (called, asked) = opened(request)?;
        let what = (asked.account_id, asked.amount, asked.idempotency_key);
        let moved = self.moved(&called, Movement::Deposit, what).await;
        answer(moved.map(|(movement, replayed)| wire::DepositResponse {
            movement: Some(movement),
            replayed,
        }))
    }

    async fn withdraw(
        &self,
        request: Request<wire::WithdrawRequest>,
    ) -> Answer<wire::WithdrawResponse> {
        let (called, asked) = opened(request)?;
        let what = (asked.account_id, asked.amount, asked.idempotency_key);
        let moved = self.moved(&called, Movement::Withdrawal, what).await;
        answer(moved.map(|(movement, replayed)| wire::WithdrawResponse {
            movement: Some(movement),
            replayed,
        }))
    }

    async fn list_account_events(
        &self,
        request: Request<wire::ListAccountEventsRequest>,
    ) -> Answer<wire::ListAccountEventsResponse> {
        let (called, asked) = opened(request)?;
        answer(self.events(&called, asked).await)
    }

    async fn batch_get_accounts(
        &self,
        request: Request<wire::BatchGetAccountsRequest>,
    ) -> Answer<wire::BatchGetAccountsResponse> {
        let (called, asked) = opened(request)?;
        answer(self.found(&called, asked).await)
    }

    async fn batch_list_account_events(
        &self,
        request: Request<wire::BatchListAccountEventsRequest>,
    ) -> Answer<wire::BatchListAccountEventsResponse> {
        let (called, asked) = opened(request)?;
        answer(self.events_of_many(&called, asked).await)
    }
}

fn shown(view: View) -> wire::Account {
    let account = view.account;
    wire::Account {
        id: view.id,
        owner_id: account.owner_id,
        balance: Some(Money::new(account.balance, account.currency.clone()).into()),
        currency: account.currency,
        version: account.version,
        closed: account.is_closed,
        created_at: Some(timestamp(view.created_at)),
    }
}

fn happened(event: &StoredEvent, currency: &str) -> Result<wire::AccountEvent, Problem> {
    let (kind, amount, order_id) = match event.decode()? {
        AccountEvent::Created { .. } => (Kind::Created, None, None),
        AccountEvent::Deposited { amount } => (Kind::Deposited, Some(amount), None),
        AccountEvent::Withdrawn { amount } => (Kind::Withdrawn, Some(amount), None),
        AccountEvent::Charged { amount, order_id } => (Kind::Charged, Some(amount), Some(order_id)),
        AccountEvent::Refunded { amount, order_id } => {
            (Kind::Refunded, Some(amount), Some(order_id))
        }
        AccountEvent::Closed => (Kind::Closed, None, None),
    };
    Ok(wire::AccountEvent {
        seq: event.version,
        r#type: kind.into(),
        at: Some(timestamp(event.time)),
        amount: amount.map(|amount| Money::new(amount, currency).into()),
        order_id,
    })
}

/// A movement as REST has stored it.
fn movement_of(body: &Value) -> wire::Movement {
    let money = |money: &Value| {
        Some(Money::new(money["amount"].as_i64()?, text(&money["currency"])).into())
    };
    let kind = if body["type"] == "Withdrawn" { Kind::Withdrawn } else { Kind::Deposited };
    wire::Movement {
        id: text(&body["id"]),
        account_id: text(&body["account_id"]),
        r#type: kind.into(),
        seq: body["seq"].as_u64().unwrap_or_default(),
        amount: money(&body["amount"]),
        balance: money(&body["balance"]),
    }
}
