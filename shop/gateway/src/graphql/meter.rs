//! What an operation costs: charged before it runs, corrected after, and told to the caller.
//!
//! The unit is a field of the answer; a mutation costs as many more as a call of REST is worth, so that no document holds many for one. Before anything runs the library counts the fields that the operation may come to, with lists as
//! long as they may be; afterwards we count those that are there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextValidation,
};
use async_graphql::{Response, ServerError, ValidationResult, Value};
use serde_json::json;
use shop_edge::Problem;
use shop_edge::rpc::deadline::whole_seconds;

use super::budget::Budgets;
use super::errors;

/// Longest list times longest list must not wrap around; no sum of such values does.
const COST_MAX: usize = 1 << 40;

/// What a list costs: as many times its items' fields as it may have items.
pub(crate) fn list(items: usize, child: usize) -> usize {
    items.saturating_mul(child).saturating_add(1).min(COST_MAX)
}

/// The bill of one operation.
#[derive(Debug)]
pub(super) struct Ledger {
    budgets: Arc<Budgets>,
    account: String,
    most: u64,
    /// What is spent by running at all, whatever is answered.
    spent: u64,
    requested: AtomicU64,
    has_run: AtomicBool,
}

/// Hands the library's count to the [`Ledger`] of the request.
#[derive(Debug)]
pub(super) struct Meter;

// === impl Ledger ===

impl Ledger {
    pub(super) fn new(budgets: Arc<Budgets>, account: String, most: u64) -> Self {
        let (requested, has_run) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { budgets, account, most, spent: 0, requested, has_run }
    }

    /// The same, with what running costs beside the fields of the answer.
    pub(super) fn and(mut self, spent: u64) -> Self {
        self.spent = spent;
        self
    }

    /// Whether the operation has begun to run: what went wrong before is the caller's.
    pub(super) fn has_run(&self) -> bool {
        self.has_run.load(Ordering::Acquire)
    }

    fn charge(&self, cost: u64) -> Result<(), ServerError> {
        if cost > self.most {
            return Err(errors::beyond("complexity", cost, self.most));
        }
        match self.budgets.take(&self.account, cost) {
            Ok(_) => {
                self.requested.store(cost, Ordering::Release);
                Ok(())
            }
            Err(spent) => {
                let detail = format!(
                    "This may come to {cost} fields, and {} are left to you now.",
                    spent.left
                );
                let seconds = whole_seconds(spent.wait).max(1);
                Err(errors::error_of(&Problem::too_many_requests(detail, seconds)))
            }
        }
    }

    /// Gives back what was not used, and tells the caller.
    pub(super) fn settle(&self, response: &mut Response) {
        let requested = self.requested.swap(0, Ordering::AcqRel);
        let actual = fields(&response.data).saturating_add(self.spent).min(requested);
        let remaining = self.budgets.give_back(&self.account, requested - actual);
        let cost = json!({ "requested": requested, "actual": actual, "remaining": remaining });
        if let Ok(cost) = Value::from_json(cost) {
            response.extensions.insert("cost".to_owned(), cost);
        }
    }

    /// Charges one more result of a subscription; settle it as the first one.
    pub(super) fn again(&self, response: &Response) -> Result<(), ServerError> {
        self.charge(fields(&response.data))
    }
}

impl Drop for Ledger {
    /// An operation that was given up midway has run for an unknown part, so it gets nothing back.
    fn drop(&mut self) {
        let unused = *self.requested.get_mut();
        if unused > 0 && !self.has_run() {
            self.budgets.give_back(&self.account, unused);
        }
    }
}

/// Fields of an answer.
fn fields(value: &Value) -> u64 {
    match value {
        Value::Object(all) => all.values().map(|value| 1 + fields(value)).sum(),
        Value::List(items) => items.iter().map(fields).sum(),
        _ => 0,
    }
}

// === impl Meter ===

impl ExtensionFactory for Meter {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for Meter {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        if let Some(ledger) = ctx.data_opt::<Arc<Ledger>>() {
            ledger
                .charge((result.complexity as u64).saturating_add(ledger.spent))
                .map_err(|error| vec![error])?;
        }
        Ok(result)
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Some(ledger) = ctx.data_opt::<Arc<Ledger>>() {
            ledger.has_run.store(true, Ordering::Release);
        }
        next.run(ctx, operation_name).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Allowance;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn g4_what_was_not_used_comes_back_and_the_caller_sees_all_three_numbers() {
        let allowance = Allowance { capacity: 100, per_second: 1, mutation: 10, callers: 4 };
        let budgets = Arc::new(Budgets::new(allowance));
        let ledger = |most| Ledger::new(budgets.clone(), "ann".to_owned(), most);
        let bill = ledger(90);
        bill.charge(80).unwrap();
        let data = Value::from_json(json!({ "a": [{ "b": 1 }, { "b": 2 }], "c": null })).unwrap();
        let mut response = Response::new(data);
        bill.settle(&mut response);
        let cost = response.extensions["cost"].clone().into_json().unwrap();
        assert_eq!(cost, json!({ "requested": 80, "actual": 4, "remaining": 96 }));
        let beyond = ledger(90).charge(91).unwrap_err();
        assert_eq!(errors::carried(&beyond), Some("LIMIT_EXCEEDED"));
        let first = ledger(90);
        first.charge(60).unwrap();
        let spent = ledger(90).charge(60).unwrap_err();
        assert_eq!(errors::carried(&spent), Some("TOO_MANY_REQUESTS"));
        drop(first);
        assert!(ledger(90).charge(90).is_ok(), "what never ran costs nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn g4_what_a_mutation_costs_does_not_come_back() {
        let allowance = Allowance { capacity: 100, per_second: 1, mutation: 10, callers: 4 };
        let budgets = Arc::new(Budgets::new(allowance));
        let bill = Ledger::new(budgets.clone(), "ann".to_owned(), 90).and(20);
        bill.charge(50).unwrap();
        let data = Value::from_json(json!({ "a": null, "b": null })).unwrap();
        bill.settle(&mut Response::new(data));
        assert_eq!(budgets.take("ann", 0), Ok(100 - 22));
    }

    #[test]
    fn g3_lists_of_lists_do_not_wrap_around() {
        let mut cost = 1;
        for _ in 0..15 {
            cost = list(100, cost);
        }
        assert_eq!(cost, COST_MAX);
        assert_eq!(list(20, 3), 61);
    }
}
