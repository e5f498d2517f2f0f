//! From a request to its results: found, judged, charged, run until its deadline, and cleaned of what callers must not see.

use std::pin::Pin;
use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use async_graphql::{Executor, Request, Response, ServerError, Variables};
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use serde_json::Value;
use shop_edge::Problem;

use super::caller::Caller;
use super::endpoint::Inner;
use super::meter::Ledger;
use super::request::Raw;
use super::respond::Outcome;
use super::{errors, limits};

/// Results of one operation, in order.
pub(super) type Results = Pin<Box<dyn Stream<Item = Outcome> + Send>>;

/// An operation that may run.
pub(super) struct Ready {
    request: Request,
    ledger: Arc<Ledger>,
    caller: Caller,
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
        let ledger = Ledger::new(self.budgets.clone(), account, options.limits.complexity);
        let ledger = Arc::new(ledger);
        let mut request = Request::new(&*found.text)
            .variables(Variables::from_json(variables))
            .data(ledger.clone())
            .data(caller.clone());
        request.operation_name = raw.operation_name;
        request.set_parsed_query(judged.document);
        let request = (self.prepare)(&caller, request);
        Ok(Ready { request, ledger, caller, kind: judged.kind })
    }

    /// Runs a query or a mutation.
    pub(super) async fn run(&self, ready: Ready) -> Outcome {
        let Ready { request, ledger, caller, .. } = ready;
        let running = self.executor.execute(request);
        match tokio::time::timeout_at(caller.deadline, running).await {
            Ok(response) => {
                let has_run = ledger.has_run();
                finished(response, has_run, &ledger)
            }
            Err(_) => {
                let detail = "The operation did not end in its time, and has been given up.";
                Outcome::refused(errors::error_of(&Problem::gateway_timeout(detail)))
            }
        }
    }

    /// Runs whatever it is: a subscription has any number of results, everything else one.
    pub(super) fn results(self: Arc<Self>, ready: Ready) -> Results {
        if ready.kind != OperationType::Subscription {
            return Box::pin(stream::once(async move { self.run(ready).await }));
        }
        let Ready { request, ledger, .. } = ready;
        let responses = self.executor.execute_stream(request, None);
        let mut is_first = true;
        Box::pin(stream::unfold(Some(responses), move |responses| {
            let ledger = ledger.clone();
            let was_first = std::mem::replace(&mut is_first, false);
            async move {
                let mut responses = responses?;
                let response = responses.next().await?;
                let has_run = ledger.has_run();
                if was_first || !has_run {
                    return Some((finished(response, has_run, &ledger), Some(responses)));
                }
                let mut response = response;
                match ledger.again(&mut response) {
                    Ok(()) => {
                        errors::mask(&mut response, true);
                        Some((Outcome { response, has_run }, Some(responses)))
                    }
                    // Who has spent everything hears it, and no more.
                    Err(error) => Some((Outcome::refused(error), None)),
                }
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
