//! What can have happened to an account, and what it is because of that.

use serde::{Deserialize, Serialize};
use switchboard_core::Event;

/// A fact about an account. Amounts are minor units, always positive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountEvent {
    /// Somebody opened it.
    Created {
        /// Whose it is.
        owner_id: String,
        /// Its currency, for ever.
        currency: String,
    },
    /// Money was paid in.
    Deposited {
        /// How much.
        amount: i64,
    },
    /// Money was taken out.
    Withdrawn {
        /// How much.
        amount: i64,
    },
    /// An order was paid.
    Charged {
        /// How much.
        amount: i64,
        /// Which order.
        order_id: String,
    },
    /// An order's money came back.
    Refunded {
        /// How much.
        amount: i64,
        /// Which order.
        order_id: String,
    },
    /// Its owner has left.
    Closed,
}

/// An account as it is after some events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Whose it is; empty before it exists.
    pub owner_id: String,
    /// Its currency.
    pub currency: String,
    /// What is on it.
    pub balance: i64,
    /// How many events have made it.
    pub version: u64,
    /// Whether its owner has left.
    pub is_closed: bool,
}

impl Event for AccountEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::Created { .. } => "Created",
            Self::Deposited { .. } => "Deposited",
            Self::Withdrawn { .. } => "Withdrawn",
            Self::Charged { .. } => "Charged",
            Self::Refunded { .. } => "Refunded",
            Self::Closed => "Closed",
        }
    }
}

// === impl Account ===

impl Account {
    /// The account after these events.
    pub fn of(events: impl IntoIterator<Item = AccountEvent>) -> Self {
        events.into_iter().fold(Self::default(), Self::evolve)
    }

    /// Whether it was ever opened.
    pub fn exists(&self) -> bool {
        self.version > 0
    }

    /// The account after one more event. Decisions have checked the bounds; replaying a fact
    /// never fails.
    #[must_use]
    pub fn evolve(mut self, event: AccountEvent) -> Self {
        self.version += 1;
        match event {
            AccountEvent::Created { owner_id, currency } => {
                self.owner_id = owner_id;
                self.currency = currency;
            }
            AccountEvent::Deposited { amount } | AccountEvent::Refunded { amount, .. } => {
                self.balance = self.balance.saturating_add(amount);
            }
            AccountEvent::Withdrawn { amount } | AccountEvent::Charged { amount, .. } => {
                self.balance = self.balance.saturating_sub(amount);
            }
            AccountEvent::Closed => self.is_closed = true,
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> Vec<AccountEvent> {
        vec![
            AccountEvent::Created { owner_id: "ann".to_owned(), currency: "USD".to_owned() },
            AccountEvent::Deposited { amount: 500 },
            AccountEvent::Withdrawn { amount: 100 },
            AccountEvent::Deposited { amount: 300 },
        ]
    }

    #[test]
    fn five_hundred_less_one_hundred_plus_three_hundred_is_seven_hundred() {
        let account = Account::of(history());
        assert_eq!((account.balance, account.version), (700, 4));
    }

    #[test]
    fn an_account_can_be_seen_as_it_was_at_any_version() {
        let balances: Vec<_> =
            (1..=4).map(|n| Account::of(history().into_iter().take(n)).balance).collect();
        assert_eq!(balances, [0, 500, 400, 700]);
    }
}
