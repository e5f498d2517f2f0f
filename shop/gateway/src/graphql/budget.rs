//! What each caller may spend: an account that fills again as time passes.
//!
//! The interface is small on purpose (`take`, `give_back`), so that another keeper of accounts can stand in its place.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::options::Allowance;

/// The accounts of all callers of this process.
#[derive(Debug)]
pub(crate) struct Budgets {
    allowance: Allowance,
    accounts: Mutex<HashMap<String, Account>>,
}

/// What a caller had at a moment.
#[derive(Clone, Copy, Debug)]
struct Account {
    left: u64,
    at: Instant,
}

/// The account does not hold so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    /// What it holds.
    pub(crate) left: u64,
    /// After so long it will hold enough.
    pub(crate) wait: Duration,
}

// === impl Budgets ===

impl Budgets {
    pub(crate) fn new(allowance: Allowance) -> Self {
        Self { allowance, accounts: Mutex::default() }
    }

    /// Takes so much from the caller's account, and says what is left.
    pub(crate) fn take(&self, caller: &str, cost: u64) -> Result<u64, Spent> {
        self.with(caller, |account, allowance| match account.left.checked_sub(cost) {
            Some(left) => {
                account.left = left;
                Ok(left)
            }
            None => {
                let missing = cost.min(allowance.capacity).saturating_sub(account.left);
                Err(Spent { left: account.left, wait: time_for(missing, allowance) })
            }
        })
    }

    /// Gives back what was not used, and says what is left.
    pub(crate) fn give_back(&self, caller: &str, cost: u64) -> u64 {
        self.with(caller, |account, allowance| {
            account.left = account.left.saturating_add(cost).min(allowance.capacity);
            account.left
        })
    }

    fn with<T>(&self, caller: &str, change: impl FnOnce(&mut Account, &Allowance) -> T) -> T {
        let (now, allowance) = (Instant::now(), &self.allowance);
        let mut accounts = self.accounts.lock();
        if !accounts.contains_key(caller) && accounts.len() >= allowance.callers {
            // Whoever has a full account is as good as new. If nobody has, the oldest goes.
            accounts.retain(|_, account| account.at(now, allowance) < allowance.capacity);
            if accounts.len() >= allowance.callers {
                let oldest = accounts.iter().min_by_key(|(_, account)| account.at);
                if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                    accounts.remove(&oldest);
                }
            }
        }
        let full = Account { left: allowance.capacity, at: now };
        let account = accounts.entry(caller.to_owned()).or_insert(full);
        account.left = account.at(now, allowance);
        account.at = now;
        change(account, allowance)
    }
}

// === impl Account ===

impl Account {
    /// What it holds at this moment.
    fn at(&self, now: Instant, allowance: &Allowance) -> u64 {
        let micros = u64::try_from(now.duration_since(self.at).as_micros()).unwrap_or(u64::MAX);
        let filled = u128::from(micros) * u128::from(allowance.per_second) / 1_000_000;
        let filled = u64::try_from(filled).unwrap_or(u64::MAX);
        self.left.saturating_add(filled).min(allowance.capacity)
    }
}

/// How long the account needs to get so much.
fn time_for(missing: u64, allowance: &Allowance) -> Duration {
    let micros = u128::from(missing) * 1_000_000 / u128::from(allowance.per_second.max(1));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(callers: usize) -> Budgets {
        Budgets::new(Allowance { capacity: 100, per_second: 10, mutation: 10, callers })
    }

    #[tokio::test(start_paused = true)]
    async fn g4_an_account_empties_fills_with_time_and_takes_back() {
        let budgets = budgets(10);
        assert_eq!(budgets.take("ann", 70), Ok(30));
        let spent = budgets.take("ann", 50).unwrap_err();
        assert_eq!((spent.left, spent.wait.as_secs()), (30, 2));
        assert_eq!(budgets.take("bob", 50), Ok(50), "everybody has an own account");
        tokio::time::advance(spent.wait).await;
        assert_eq!(budgets.take("ann", 50), Ok(0));
        assert_eq!(budgets.give_back("ann", 45), 45);
        assert_eq!(budgets.give_back("ann", 4_500), 100, "never more than it holds");
    }

    #[tokio::test(start_paused = true)]
    async fn g4_accounts_are_bounded_and_full_ones_go_first() {
        let budgets = budgets(2);
        budgets.take("ann", 100).unwrap();
        budgets.take("bob", 1).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        budgets.take("eve", 1).unwrap();
        let names: Vec<_> = budgets.accounts.lock().keys().cloned().collect();
        assert!(!names.contains(&"bob".to_owned()) && names.len() == 2, "{names:?}");
        assert!(budgets.take("ann", 50).is_err(), "who has spent is remembered");
    }
}
