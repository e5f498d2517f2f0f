//! The service's part of the interface's document.

use serde_json::json;
use shop_edge::openapi::{Bodies, Event, Operation, Part, WHEN, operators};

use super::rest::EVENTS_LISTED;
use super::shapes::{
    Account, AccountHappening, MoveMoney, MovementMade, OpenAccount, PaymentTotals,
};

const ACCOUNTS: &str = "/api/v1/accounts";
const ACCOUNT: &str = "/api/v1/accounts/{id}";

/// Every operation of the service.
pub fn openapi() -> Part {
    let part = Part::new("accounts", "Accounts, the money on them, and all that happened to them.")
        .with(open())
        .with(Operation::get(ACCOUNTS, "listAccounts")
            .says("List one's accounts", "Oldest first.")
            .page_of::<Account>("The accounts."))
        .with(show())
        .with(moved("deposits", "createDeposit", "Pay money in"))
        .with(moved("withdrawals", "createWithdrawal", "Take money out"))
        .with(at_account(Operation::get("/api/v1/accounts/{id}/events", "listAccountEvents"))
            .says(
                "Show all that happened to an account",
                "Its audit trail, oldest first; a page holds 1000 events unless `limit` says less.",
            )
            .page_of::<Event>("The events.")
            .holds(EVENTS_LISTED))
        .with(at_account(Operation::get("/api/v1/accounts/{id}/events/{seq}", "getAccountEvent"))
            .at("seq", "The number of the event.", json!({ "type": "integer", "minimum": 1 }), 2)
            .says("Show one thing that happened to an account", "With the balance after it.")
            .ok::<AccountHappening>("What happened."))
        .with(Operation::get("/api/v1/operator/payments/totals", "getPaymentTotals")
            .tagged("operator")
            .operator()
            .says("Show the sums over all accounts", "What a run must conserve.")
            .ok::<PaymentTotals>("The sums."));
    operators(part, "/api/v1/operator/payments", "Payments")
}

fn at_account(operation: Operation) -> Operation {
    operation.at_id("id", "The account. Others' accounts are hidden: 404.")
}

fn open() -> Operation {
    let id = [("id", "$response.body#/id")];
    Operation::post(ACCOUNTS, "createAccount")
        .says("Open an account", "In one currency, for ever. 409 when one has too many.")
        .body::<OpenAccount>(Bodies::Json)
        .created::<Account>("The new account, with nothing on it.")
        .shows("ETag")
        .idempotent(false)
        .refuses(&[409])
        .leads_to("getAccount", &id)
        .leads_to("createDeposit", &id)
        .leads_to("createWithdrawal", &id)
        .leads_to("listAccountEvents", &id)
}

fn show() -> Operation {
    let version = json!({ "type": "integer", "minimum": 1 });
    let time = json!({ "type": "string", "format": "date-time" });
    at_account(Operation::get(ACCOUNT, "getAccount"))
        .says(
            "Show an account",
            "As it is, or as it was: with `version` after so many events, with `at` at a moment. \
             Ask for one of the two, not for both.",
        )
        .query("version", "After so many events.", version, 2)
        .query("at", "At this moment (RFC 3339).", time, WHEN)
        .ok::<Account>("The account.")
}

fn moved(what: &str, id: &str, summary: &str) -> Operation {
    at_account(Operation::post(&format!("{ACCOUNT}/{what}"), id))
        .says(summary, "Only its owner may. 409 with the reason when the account says no.")
        .body::<MoveMoney>(Bodies::Json)
        .created::<MovementMade>("The movement.")
        .shows("ETag")
        .idempotent(false)
        .refuses(&[403, 409])
        .leads_to(
            "getAccountEvent",
            &[("id", "$response.body#/account_id"), ("seq", "$response.body#/seq")],
        )
}
