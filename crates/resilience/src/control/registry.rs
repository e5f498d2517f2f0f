//! The policies of a process by name, and what was done to them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use switchboard_core::Clock;

use super::{Action, ControlError, Controlled, Health, Record, View};

/// Records that are kept; the oldest go first.
const RECORDS: usize = 256;

/// The policies of a process. Clones are one registry.
#[derive(Clone, Debug)]
pub struct Registry {
    clock: Arc<dyn Clock>,
    policies: Arc<Mutex<BTreeMap<&'static str, Arc<dyn Controlled>>>>,
    records: Arc<Mutex<VecDeque<Record>>>,
}

// === impl Registry ===

impl Registry {
    /// None yet. Times of records come from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, policies: Arc::default(), records: Arc::default() }
    }

    /// Shows this policy from now on, instead of one that had its name.
    pub fn register(&self, policy: Arc<dyn Controlled>) {
        let name = policy.view().name;
        self.policies.lock().insert(name.as_str(), policy);
    }

    /// All policies, by name.
    pub fn views(&self) -> Vec<View> {
        self.snapshot().iter().map(|policy| policy.view()).collect()
    }

    /// One policy.
    pub fn view(&self, name: &str) -> Option<View> {
        let policy = self.policies.lock().get(name).cloned()?;
        Some(policy.view())
    }

    /// Does what an operator asks of one policy, and records it.
    ///
    /// # Errors
    /// [`ControlError`]; then nothing has changed, and nothing is recorded.
    pub fn act(
        &self,
        name: &str,
        action: Action,
        actor: &str,
        why: &str,
    ) -> Result<Record, ControlError> {
        let policy = self.policies.lock().get(name).cloned();
        let policy = policy.ok_or_else(|| ControlError::Unknown(name.to_owned()))?;
        let before = policy.view().state;
        policy.act_as(&action, actor, why)?;
        let after = policy.view();
        let record = Record {
            at: self.clock.now(),
            policy: after.name,
            action,
            actor: actor.to_owned(),
            why: why.to_owned(),
            before,
            after: after.state,
        };
        let mut records = self.records.lock();
        if records.len() == RECORDS {
            records.pop_front();
        }
        records.push_back(record.clone());
        tracing::warn!(
            policy = name,
            action = record.action.name(),
            actor,
            why,
            "an operator acted on a policy"
        );
        Ok(record)
    }

    /// How well what the policies guard is served, by name. An open breaker is *degraded*: it never
    /// makes a process unready or dead by itself (D11).
    pub fn health(&self) -> Vec<Health> {
        self.snapshot().iter().map(|policy| policy.health()).collect()
    }

    /// Hands the counts of all policies, and what each number means, to the installed metrics
    /// recorder. Call it before the recorder is read; between readings nothing is spent on it.
    pub fn publish(&self) {
        // Each time: a recorder may have been installed since.
        crate::metrics::describe();
        for policy in self.snapshot() {
            policy.publish();
        }
    }

    /// What operators did, newest first; the last 256.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().iter().rev().cloned().collect()
    }

    /// The lock is not held while policies are asked: they may register others.
    fn snapshot(&self) -> Vec<Arc<dyn Controlled>> {
        self.policies.lock().values().cloned().collect()
    }
}
