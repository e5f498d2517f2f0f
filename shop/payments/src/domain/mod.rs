//! An account is what has happened to it. Decisions are pure: an account and a command in, an event or a refusal out.

pub mod account;
pub mod charge;
pub mod deposit;
pub mod open;
pub mod withdraw;

pub use account::{Account, AccountEvent};

/// Why an account says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such account.
    #[error("there is no such account")]
    UnknownAccount,
    /// The account is somebody else's.
    #[error("the account is somebody else's")]
    NotTheOwner,
    /// The account is in another currency.
    #[error("the account is in another currency")]
    WrongCurrency,
    /// The account is closed.
    #[error("the account is closed")]
    AccountClosed,
    /// There is not enough money on the account.
    #[error("there is not enough money on the account")]
    InsufficientFunds,
    /// An amount that is not above zero.
    #[error("an amount must be above zero")]
    InvalidAmount,
    /// The owner has as many accounts as one may have.
    #[error("there are as many accounts as one may have")]
    TooManyAccounts,
    /// The owner has left the shop.
    #[error("the user has left")]
    OwnerDeparted,
    /// The balance would be larger than can be counted.
    #[error("the balance would be too large")]
    TooMuch,
}

impl Refusal {
    /// The stable name that other services and clients see.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownAccount => "unknown_account",
            Self::NotTheOwner => "not_the_owner",
            Self::WrongCurrency => "wrong_currency",
            Self::AccountClosed => "account_closed",
            Self::InsufficientFunds => "insufficient_funds",
            Self::InvalidAmount => "invalid_amount",
            Self::TooManyAccounts => "too_many_accounts",
            Self::OwnerDeparted => "owner_departed",
            Self::TooMuch => "too_much",
        }
    }
}
