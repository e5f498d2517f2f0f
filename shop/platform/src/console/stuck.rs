//! What a person does about an undo that cannot be done: have it tried again, or say that it was done by hand.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, Method, StatusCode};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};
use shop_edge::Problem;

use super::session::{SignedIn, from_our_page};
use super::{Console, escape_query};
use crate::load::client::Call;

#[derive(Deserialize)]
pub(super) struct Resolution {
    reason: String,
}

/// The two buttons, with what to do before one presses them.
pub(super) fn forms(order_id: &str, saga: &Value) -> Markup {
    let path = format!("/console/orders/{}", escape_query(order_id));
    let step = saga["step"].as_str().unwrap_or("a step");
    html! {
        section class="notice bad stuck-forms" aria-label="The undo waits for you" {
            p {
                strong { "The saga is stuck at " code { (step) } " and waits for you. " }
                "Set right what hinders it and have it tried again; or do by hand what it asked "
                "for, and say so. What is locked stays locked until then."
            }
            form action={ (path) "/retry" } method="post" { button class="primary" { "Try again" } }
            form action={ (path) "/resolve" } method="post" {
                label class="hidden" for="reason" { "What was done by hand, and why" }
                input #reason name="reason" required minlength="3" maxlength="500"
                    placeholder="What was done by hand, and why" autocomplete="off";
                button class="danger" { "Done by hand" }
            }
        }
    }
}

pub(super) async fn retry(
    State(console): State<Console>,
    _: SignedIn,
    headers: HeaderMap,
    Path(order): Path<String>,
) -> Result<Response, Problem> {
    from_our_page(&headers)?;
    ask(&console, &order, "retry", None).await
}

pub(super) async fn resolve(
    State(console): State<Console>,
    _: SignedIn,
    headers: HeaderMap,
    Path(order): Path<String>,
    Form(resolution): Form<Resolution>,
) -> Result<Response, Problem> {
    from_our_page(&headers)?;
    let body = json!({ "reason": resolution.reason });
    ask(&console, &order, "resolution", Some(body)).await
}

/// Asks the orders service as the operator. What is not possible any more needs no words of its
/// own: the page shows how the saga stands now.
async fn ask(
    console: &Console,
    order: &str,
    action: &str,
    body: Option<Value>,
) -> Result<Response, Problem> {
    let shop = &console.shop;
    let order = escape_query(order);
    let path = format!("/api/v1/operator/sagas/{order}/{action}");
    let call = Call { token: Some(shop.auth.operator_token()), body, ..Call::default() };
    let answer = shop.client.call(Method::POST, &path, &call).await;
    let answer = answer.map_err(|error| Problem::unavailable(switchboard_core::chain(&error)))?;
    match answer.status {
        status if status.is_success() || status == StatusCode::CONFLICT => {
            Ok(Redirect::to(&format!("/console/orders/{order}")).into_response())
        }
        StatusCode::NOT_FOUND => Err(Problem::not_found()),
        _ => Err(Problem::unprocessable(answer.body["detail"].as_str().unwrap_or_default())),
    }
}
