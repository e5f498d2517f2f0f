//! Somebody pays money in.

use super::{Account, AccountEvent, Refusal};

/// The most that may ever be on an account, so that sums never overflow.
pub const BALANCE_MAX: i64 = 1_000_000_000_000_000;

/// Decides whether the money is taken.
///
/// # Errors
/// The account is closed, or would hold too much.
pub fn decide(account: &Account, amount: i64) -> Result<AccountEvent, Refusal> {
    if account.is_closed {
        return Err(Refusal::AccountClosed);
    }
    if account.balance > BALANCE_MAX - amount {
        return Err(Refusal::TooMuch);
    }
    Ok(AccountEvent::Deposited { amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_account_takes_no_money_and_none_takes_too_much() {
        let open = Account::default();
        assert_eq!(decide(&open, 5), Ok(AccountEvent::Deposited { amount: 5 }));
        let closed = Account { is_closed: true, ..Account::default() };
        assert_eq!(decide(&closed, 5), Err(Refusal::AccountClosed));
        let full = Account { balance: BALANCE_MAX, ..Account::default() };
        assert_eq!(decide(&full, 1), Err(Refusal::TooMuch));
    }
}
