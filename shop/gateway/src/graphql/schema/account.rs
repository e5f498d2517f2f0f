//! Accounts, the money on them, and everything that has happened to it.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use shop_contracts::rpc::payments;
use switchboard_store::Value as Cell;

use super::super::calls::answered;
use super::super::loaders::EventsOf;
use super::super::meter::list;
use super::connection::{Page, Place, Wanted, page_of};
use super::scalars::{DateTime, Long, Money};
use super::{Nullable, calls, found, items, nullable};

/// Where a customer's money is.
pub(super) struct Account(payments::Account);

/// What can happen on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum AccountEventType {
    /// It was opened.
    Created,
    /// Money came in.
    Deposited,
    /// Money was taken out.
    Withdrawn,
    /// An order was paid.
    Charged,
    /// The money of an order came back.
    Refunded,
    /// It was closed.
    Closed,
    /// Something that this gateway does not know yet.
    Unknown,
}

/// Something that has happened on an account.
#[derive(SimpleObject)]
pub(super) struct AccountEvent {
    /// Its number, from 1 on.
    seq: Long,
    /// What.
    #[graphql(name = "type")]
    kind: AccountEventType,
    /// When.
    at: DateTime,
    /// How much, where money moved.
    amount: Option<Money>,
    /// For which order.
    order_id: Option<ID>,
}

/// Money that has moved.
#[derive(SimpleObject)]
pub(super) struct Movement {
    /// Its id.
    id: ID,
    /// The account.
    account_id: ID,
    /// What.
    #[graphql(name = "type")]
    kind: AccountEventType,
    /// The number of the event.
    seq: Long,
    /// How much.
    amount: Money,
    /// What the account holds now.
    balance: Money,
}

// === impl Account ===

impl Account {
    pub(super) fn of(account: payments::Account) -> Self {
        Self(account)
    }
}

/// Where a customer's money is.
#[Object]
impl Account {
    /// Its id.
    async fn id(&self) -> ID {
        ID(self.0.id.clone())
    }

    /// Three capital letters (ISO 4217).
    async fn currency(&self) -> &str {
        &self.0.currency
    }

    /// What it holds.
    async fn balance(&self) -> Money {
        self.0.balance.clone().into()
    }

    /// How many events it has.
    async fn version(&self) -> Long {
        Long(self.0.version.cast_signed())
    }

    /// Whether it was closed.
    async fn closed(&self) -> bool {
        self.0.closed
    }

    /// When it was opened.
    async fn created_at(&self) -> DateTime {
        DateTime::of(self.0.created_at.as_ref())
    }

    /// Everything that has happened on it, oldest first, a page at a time. Null, with an error,
    /// while the payments service is away.
    #[graphql(complexity = "list(items(first), child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page: 20 by default, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Where the page begins: a cursor of this list.")] after: Option<String>,
    ) -> Nullable<Page<AccountEvent>> {
        nullable(async {
            let (calls, wanted) = (calls(ctx), Wanted::of(first, after)?);
            let (account_id, size) = (self.0.id.clone(), wanted.size.max(1));
            let (events, next) = if wanted.is_first() {
                // The first pages of many accounts are one call.
                let key = EventsOf(account_id, size);
                let events = found(ctx, key).await?.unwrap_or_default();
                (events.events, events.next_page_token)
            } else {
                let (page_size, page_token) = (size, wanted.token.clone());
                let request =
                    payments::ListAccountEventsRequest { account_id, page_size, page_token };
                let answer = calls.payments().list_account_events(calls.ask(request)).await;
                let page = answered("payments", answer)?;
                (page.events, page.next_page_token)
            };
            let filter = format!("events of {}", self.0.id);
            let place = |event: &payments::AccountEvent| Place {
                order: Cell::from(event.seq.cast_signed()),
                key: self.0.id.clone(),
            };
            let node = AccountEvent::of;
            Ok(Some(page_of(calls, &filter, &wanted, events, &next, place, node)))
        })
        .await
    }
}

// === impl AccountEventType ===

impl AccountEventType {
    fn of(kind: i32) -> Self {
        use payments::AccountEventType as Wire;
        match Wire::try_from(kind) {
            Ok(Wire::Created) => Self::Created,
            Ok(Wire::Deposited) => Self::Deposited,
            Ok(Wire::Withdrawn) => Self::Withdrawn,
            Ok(Wire::Charged) => Self::Charged,
            Ok(Wire::Refunded) => Self::Refunded,
            Ok(Wire::Closed) => Self::Closed,
            Ok(Wire::Unspecified) | Err(_) => Self::Unknown,
        }
    }
}

// === impl AccountEvent ===

impl AccountEvent {
    fn of(event: payments::AccountEvent) -> Self {
        Self {
            seq: Long(event.seq.cast_signed()),
            kind: AccountEventType::of(event.r#type),
            at: DateTime::of(event.at.as_ref()),
            amount: event.amount.map(|amount| Some(amount).into()),
            order_id: event.order_id.map(ID),
        }
    }
}

// === impl Movement ===

impl Movement {
    pub(super) fn of(movement: payments::Movement) -> Self {
        Self {
            id: ID(movement.id),
            account_id: ID(movement.account_id),
            kind: AccountEventType::of(movement.r#type),
            seq: Long(movement.seq.cast_signed()),
            amount: movement.amount.into(),
            balance: movement.balance.into(),
        }
    }
}
