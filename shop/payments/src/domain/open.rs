//! Somebody opens an account.

use super::{AccountEvent, Refusal};

/// Accounts that one user may have.
pub const ACCOUNTS_MAX: i64 = 100;

/// Somebody who has accounts, or wants one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// How many accounts they have opened.
    pub accounts: i64,
    /// Whether they have left. Their token may outlive them by some hours.
    pub departed: bool,
}

/// Decides whether the account is opened.
///
/// # Errors
/// The owner has left, or has too many accounts.
pub fn decide(owner: Owner, owner_id: &str, currency: &str) -> Result<AccountEvent, Refusal> {
    if owner.departed {
        return Err(Refusal::OwnerDeparted);
    }
    if owner.accounts >= ACCOUNTS_MAX {
        return Err(Refusal::TooManyAccounts);
    }
    Ok(AccountEvent::Created { owner_id: owner_id.to_owned(), currency: currency.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_here_and_has_not_too_many_may_open_one() {
        let cases = [
            (0, false, None),
            (ACCOUNTS_MAX - 1, false, None),
            (ACCOUNTS_MAX, false, Some(Refusal::TooManyAccounts)),
            (0, true, Some(Refusal::OwnerDeparted)),
        ];
        for (accounts, departed, refused) in cases {
            assert_eq!(decide(Owner { accounts, departed }, "ann", "USD").err(), refused);
        }
    }
}
