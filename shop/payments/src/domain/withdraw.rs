//! Somebody takes money out.

use super::{Account, AccountEvent, Refusal};

/// Decides whether there is enough.
///
/// # Errors
/// The account is closed, or holds less.
pub fn decide(account: &Account, amount: i64) -> Result<AccountEvent, Refusal> {
    if amount <= 0 {
        return Err(Refusal::InvalidAmount);
    }
    if account.is_closed {
        return Err(Refusal::AccountClosed);
    }
    if account.balance < amount {
        return Err(Refusal::InsufficientFunds);
    }
    Ok(AccountEvent::Withdrawn { amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_out_more_than_there_is() {
        let account = Account { balance: 5, ..Account::default() };
        assert_eq!(decide(&account, 5), Ok(AccountEvent::Withdrawn { amount: 5 }));
        assert_eq!(decide(&account, 6), Err(Refusal::InsufficientFunds));
        assert_eq!(decide(&account, -6), Err(Refusal::InvalidAmount));
    }
}
