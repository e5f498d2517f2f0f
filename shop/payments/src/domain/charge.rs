//! An order is paid, or its money comes back.

use shop_contracts::payments::{Charge, Refund, VerifyAccount};

use super::{Account, AccountEvent, Refusal};

/// Decides whether this account may pay at all; says nothing about the balance.
///
/// # Errors
/// It is unknown, somebody else's, closed, or in another currency.
pub fn verify(account: &Account, command: &VerifyAccount) -> Result<(), Refusal> {
    may_pay(account, &command.user_id, &command.currency)
}

/// Decides whether an order is paid.
///
/// # Errors
/// What [`verify`] refuses, or there is not enough money.
pub fn decide(account: &Account, command: &Charge) -> Result<AccountEvent, Refusal> {
    may_pay(account, &command.user_id, &command.amount.currency)?;
    if command.amount.amount <= 0 {
        return Err(Refusal::InvalidAmount);
    }
    if account.balance < command.amount.amount {
        return Err(Refusal::InsufficientFunds);
    }
    let (amount, order_id) = (command.amount.amount, command.order_id.clone());
    Ok(AccountEvent::Charged { amount, order_id })
}

/// Decides whether an order's money can come back. No limit holds it up: it was here before.
///
/// # Errors
/// The account is closed: a person has to find its owner. Or the command itself is wrong.
pub fn refund(account: &Account, command: &Refund) -> Result<AccountEvent, Refusal> {
    if !account.exists() {
        return Err(Refusal::UnknownAccount);
    }
    if account.is_closed {
        return Err(Refusal::AccountClosed);
    }
    let (amount, order_id) = (command.amount.amount, command.order_id.clone());
    if amount <= 0 {
        return Err(Refusal::InvalidAmount);
    }
    if account.currency != command.amount.currency {
        return Err(Refusal::WrongCurrency);
    }
    account.balance.checked_add(amount).ok_or(Refusal::TooMuch)?;
    Ok(AccountEvent::Refunded { amount, order_id })
}

fn may_pay(account: &Account, user_id: &str, currency: &str) -> Result<(), Refusal> {
    if !account.exists() {
        return Err(Refusal::UnknownAccount);
    }
    if account.owner_id != user_id {
        return Err(Refusal::NotTheOwner);
    }
    if account.is_closed {
        return Err(Refusal::AccountClosed);
    }
    if account.currency != currency {
        return Err(Refusal::WrongCurrency);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use shop_contracts::Money;

    use super::*;

    fn account() -> Account {
        let (owner_id, currency) = ("ann".to_owned(), "USD".to_owned());
        Account { owner_id, currency, balance: 100, version: 2, is_closed: false }
    }

    fn charge(user: &str, amount: i64, currency: &str) -> Charge {
        Charge {
            order_id: "o".to_owned(),
            account_id: "a".to_owned(),
            user_id: user.to_owned(),
            amount: Money::new(amount, currency),
        }
    }

    fn check(account: &Account, command: &Charge, expected: Result<i64, Refusal>) {
        let decided = decide(account, command).map(|event| match event {
            AccountEvent::Charged { amount, .. } => amount,
            other => panic!("{other:?}"),
        });
        assert_eq!(decided, expected);
    }

    #[test]
    fn only_the_owner_pays_in_the_accounts_currency_with_money_that_is_there() {
        check(&account(), &charge("ann", 100, "USD"), Ok(100));
        check(&account(), &charge("ann", 101, "USD"), Err(Refusal::InsufficientFunds));
        check(&account(), &charge("bob", 1, "USD"), Err(Refusal::NotTheOwner));
        check(&account(), &charge("ann", 1, "EUR"), Err(Refusal::WrongCurrency));
        check(&account(), &charge("ann", 0, "USD"), Err(Refusal::InvalidAmount));
        check(&account(), &charge("ann", -5, "USD"), Err(Refusal::InvalidAmount));
        check(&Account::default(), &charge("ann", 1, "USD"), Err(Refusal::UnknownAccount));
        let closed = Account { is_closed: true, ..account() };
        check(&closed, &charge("ann", 1, "USD"), Err(Refusal::AccountClosed));
    }

    #[test]
    fn money_does_not_come_back_to_a_closed_account() {
        let command = Refund {
            order_id: "o".to_owned(),
            account_id: "a".to_owned(),
            amount: Money::new(5, "USD"),
        };
        assert!(refund(&account(), &command).is_ok());
        let full = Account { balance: super::super::deposit::BALANCE_MAX, ..account() };
        assert!(refund(&full, &command).is_ok(), "no limit holds up money that was here before");
        let euros = Refund { amount: Money::new(5, "EUR"), ..command.clone() };
        assert_eq!(refund(&account(), &euros), Err(Refusal::WrongCurrency));
        let nothing = Refund { amount: Money::new(0, "USD"), ..command.clone() };
        assert_eq!(refund(&account(), &nothing), Err(Refusal::InvalidAmount));
        let closed = Account { is_closed: true, ..account() };
        assert_eq!(refund(&closed, &command), Err(Refusal::AccountClosed));
    }
}
