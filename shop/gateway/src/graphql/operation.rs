//! From a request to its results: found, judged, charged, run until its deadline, and cleaned of what callers must not see.

use std::pin::Pin;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request, Response, ServerError, Variables};
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use serde_json::Value;
use shop_edge::Problem;
use tokio::time::Instant;

use super::caller::Caller;
use super::endpoint::Inner;
use super::meter::Ledger;
use super::request::Raw;
use super::respond::Outcome;
use super::tasks::Tasks;
use super::{errors, limits, metrics};

/// Results of one operation, in order.
pub(super) type Results = Pin<Box<dyn Stream<Item = Outcome> + Send>>;

/// An operation that may run.
pub(super) struct Ready {
    request: Request,
    ledger: Arc<Ledger>,
    tasks: Tasks,
    deadline: Instant,
    name: Option<String>,
    /// Whose it is.
    pub(super) account: String,
    /// What it is.
    pub(super) kind: OperationType,
}

// === impl Inner ===

impl<E: Executor> Inner<E> {
    /// Finds the document and judges it.
    pub(super) fn ready(&self, caller: Caller, raw: Raw) -> Result<Ready, ServerError> {
        let options = &self.options;
        let found = self.persisted.find(&raw)?;
        let name = raw.operation_name.as_deref();
        let judged = limits::judge(&found.text, name, &options.limits, options.introspection)?;
        let variables = Value::Object(raw.variables);
        limits::check_variables(&variables, &options.limits)?;
        if let Some(hash) = found.remember {
            self.persisted.remember(hash, &found.text);
        }
        let account = caller.account();
        let budgets = self.budgets.clone();
        let spent = options.allowance.mutation.saturating_mul(judged.mutations);
        let most = options.limits.complexity;
        let ledger = Arc::new(Ledger::new(budgets, account.clone(), most).and(spent));
        let mut request = Request::new(&*found.text)
            .variables(Variables::from_json(variables))
            .data(ledger.clone())
            .data(caller.clone());
        request.operation_name = raw.operation_name.clone();
        request.set_parsed_query(judged.document);
        let tasks = Tasks::default();
        let request = (self.prepare)(&caller, &tasks, request);
        let (deadline, name) = (caller.deadline, raw.operation_name);
        Ok(Ready { request, ledger, tasks, deadline, name, account, kind: judged.kind })
    }

    /// Runs a query or a mutation.
    pub(super) async fn run(&self, ready: Ready) -> Outcome {
        let Ready { request, ledger, tasks, deadline, name, kind, .. } = ready;
        let (name, begun) = (name.as_deref().unwrap_or("-"), Instant::now());
        let running = tasks.drive(self.executor.execute(request));
        let outcome = match tokio::time::timeout_at(deadline, running).await {
            Ok(response) => {
                let has_run = ledger.has_run();
                finished(response, has_run, &ledger)
            }
            Err(_) => {
                let detail = "The operation did not end in its time, and has been given up.";
                Outcome::refused(errors::error_of(&Problem::gateway_timeout(detail)))
            }
        };
        let (errors, micros) = (outcome.response.errors.len(), begun.elapsed().as_micros());
        tracing::debug!(%kind, name, errors, micros, "ran an operation");
        metrics::count(kind, &outcome);
        outcome
    }

    /// Runs whatever it is: a subscription has any number of results, everything else one.
    pub(super) fn results(self: Arc<Self>, ready: Ready) -> Results {
        if ready.kind != OperationType::Subscription {
            return Box::pin(stream::once(async move { self.run(ready).await }));
        }
        let Ready { request, ledger, tasks, kind, .. } = ready;
        let responses = self.executor.execute_stream(request, None);
        let mut is_first = true;
        Box::pin(stream::unfold(Some(responses), move |responses| {
            let (ledger, tasks) = (ledger.clone(), tasks.clone());
            let was_first = std::mem::replace(&mut is_first, false);
            async move {
                let mut responses = responses?;
                let response = tasks.drive(responses.next()).await?;
                let has_run = ledger.has_run();
                if !was_first && let Err(error) = ledger.again(&response) {
                    // Who has spent everything hears it, and no more.
                    return Some((Outcome::refused(error), None));
                }
                let outcome = finished(response, has_run, &ledger);
                metrics::count(kind, &outcome);
                Some((outcome, Some(responses)))
            }
        }))
    }
}

fn finished(mut response: Response, has_run: bool, ledger: &Ledger) -> Outcome {
    errors::mask(&mut response, has_run);
    errors::gather_away(&mut response);
    if has_run {
        ledger.settle(&mut response);
    }
    Outcome { response, has_run }
}
