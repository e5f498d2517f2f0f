//! Somebody pays money in.

use super::{Account, AccountEvent, Refusal};

/// The most that an account may hold after a deposit, so that sums do not overflow. A refund may
/// go above it: money that was taken must always find its way back.
pub const BALANCE_MAX: i64 = 1_000_000_000_000_000;

/// Decides whether the money is taken.
///
/// # Errors
/// The account is closed, or would hold too much.
pub fn decide(account: &Account, amount: i64) -> Result<AccountEvent, Refusal> {
    if amount <= 0 {
        return Err(Refusal::InvalidAmount);
    }
    if account.is_closed {
        return Err(Refusal::AccountClosed);
    }
    match account.balance.checked_add(amount) {
        Some(balance) if balance <= BALANCE_MAX => Ok(AccountEvent::Deposited { amount }),
        _ => Err(Refusal::TooMuch),
    }
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
        assert_eq!(decide(&full, i64::MAX), Err(Refusal::TooMuch));
        assert_eq!(decide(&open, 0), Err(Refusal::InvalidAmount));
        assert_eq!(decide(&open, i64::MIN), Err(Refusal::InvalidAmount));
    }
}
