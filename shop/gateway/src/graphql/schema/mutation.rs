//! What can be done. Each is one call to one service, which judges it as it judges REST: the same limits, the same refusals.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use shop_contracts::rpc::{common, content, orders, payments, users};

use super::super::calls::{answered, incomplete};
use super::account::{Account, Movement};
use super::order::Order;
use super::post::{Comment, Post};
use super::scalars::Long;
use super::user::User;
use super::{Nullable, calls, loaders, nullable};

/// What can be done.
#[derive(Debug)]
pub struct Mutation;

/// Who signs up.
#[derive(InputObject)]
pub(super) struct SignUpInput {
    /// 1 to 100 characters.
    name: String,
    /// An e-mail address that nobody has signed up with.
    email: String,
    /// 8 to 256 bytes.
    #[graphql(secret)]
    password: String,
}

/// A session that has begun.
#[derive(SimpleObject)]
pub(super) struct Session {
    /// Send it as `Authorization: Bearer <token>`.
    token: String,
    /// How long it is good, in seconds.
    expires_in: Long,
    /// Whose session it is.
    user_id: ID,
}

/// An order to be placed.
#[derive(InputObject)]
pub(super) struct PlaceOrderInput {
    /// The account that pays.
    account_id: ID,
    /// What is ordered, each product once: 1 to 50.
    items: Vec<OrderItemInput>,
    /// Where it goes.
    ship_to: ShipToInput,
}

/// One line of an order.
#[derive(InputObject)]
pub(super) struct OrderItemInput {
    /// The product's name in orders.
    sku: String,
    /// How many: 1 to 1 000 000.
    quantity: Long,
}

/// Where a parcel goes.
#[derive(InputObject)]
pub(super) struct ShipToInput {
    /// Who gets it: 1 to 100 characters.
    name: String,
    /// The street and the number: 1 to 200 characters.
    address: String,
    /// The city: 1 to 100 characters.
    city: String,
    /// Two capital letters (ISO 3166).
    country: String,
}

/// A post to be written.
#[derive(InputObject)]
pub(super) struct CreatePostInput {
    /// 1 to 200 characters.
    title: String,
    /// 1 to 20 000 characters.
    content: String,
    /// 0 to 10 tags of 1 to 32 characters: small letters, digits, `-`.
    #[graphql(default)]
    tags: Vec<String>,
}

/// What can be done. A refusal is an error with the code that REST would have, and the field null.
///
/// With an `idempotencyKey` of the caller's own, a call that is repeated has its effect once.
#[Object]
impl Mutation {
    /// Signs somebody up. Needs no token.
    async fn sign_up(&self, ctx: &Context<'_>, input: SignUpInput) -> Nullable<User> {
        nullable(async {
            let SignUpInput { name, email, password } = input;
            let (calls, request) = (calls(ctx), users::SignUpRequest { name, email, password });
            let answer = answered("users", calls.users().sign_up(calls.ask(request)).await)?;
            let user = answer.user.ok_or_else(|| incomplete("users"))?;
            Ok(Some(User::of(user)))
        })
        .await
    }

    /// Begins a session: a token for an e-mail address and its password. Needs no token.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        email: String,
        #[graphql(secret)] password: String,
    ) -> Nullable<Session> {
        nullable(async {
            let (calls, request) = (calls(ctx), users::SignInRequest { email, password });
            let answer = answered("users", calls.users().sign_in(calls.ask(request)).await)?;
            let users::SignInResponse { token, expires_in, user_id } = answer;
            Ok(Some(Session { token, expires_in: Long(expires_in), user_id: ID(user_id) }))
        })
        .await
    }

    /// Places an order. The answer is its beginning: follow it with `orderStatus`.
    async fn place_order(
        &self,
        ctx: &Context<'_>,
        idempotency_key: String,
        input: PlaceOrderInput,
    ) -> Nullable<Order> {
        nullable(async {
            let calls = calls(ctx);
            let ShipToInput { name, address, city, country } = input.ship_to;
            let item = |it: OrderItemInput| common::Item { sku: it.sku, quantity: it.quantity.0 };
            let request = orders::PlaceOrderRequest {
                idempotency_key,
                account_id: input.account_id.0,
                items: input.items.into_iter().map(item).collect(),
                ship_to: Some(common::ShipTo { name, address, city, country }),
            };
            let answer = answered("orders", calls.orders().place_order(calls.ask(request)).await)?;
            fresh(ctx);
            let order = answer.order.ok_or_else(|| incomplete("orders"))?;
            Ok(Some(Order::of(order)))
        })
        .await
    }

    /// Asks for an order to be undone. A conflict once shipping has been asked for.
    async fn cancel_order(&self, ctx: &Context<'_>, id: ID) -> Nullable<Order> {
        nullable(async {
            let (calls, request) = (calls(ctx), orders::CancelOrderRequest { id: id.0 });
            let answer = answered("orders", calls.orders().cancel_order(calls.ask(request)).await)?;
            fresh(ctx);
            let order = answer.order.ok_or_else(|| incomplete("orders"))?;
            Ok(Some(Order::of(order)))
        })
        .await
    }

    /// Opens an account for the caller.
    async fn create_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Three capital letters (ISO 4217).")] currency: String,
    ) -> Nullable<Account> {
        nullable(async {
            let (calls, request) = (calls(ctx), payments::CreateAccountRequest { currency });
            let answer = calls.payments().create_account(calls.ask(request)).await;
            fresh(ctx);
            let account = answered("payments", answer)?.account;
            Ok(Some(Account::of(account.ok_or_else(|| incomplete("payments"))?)))
        })
        .await
    }

    /// Puts money on one of the caller's accounts.
    async fn deposit(
        &self,
        ctx: &Context<'_>,
        account_id: ID,
        #[graphql(desc = "In the smallest unit of the account's currency.")] amount: Long,
        idempotency_key: String,
    ) -> Nullable<Movement> {
        nullable(async {
            let (calls, amount) = (calls(ctx), amount.0);
            let request =
                payments::DepositRequest { account_id: account_id.0, amount, idempotency_key };
            let answer = calls.payments().deposit(calls.ask(request)).await;
            fresh(ctx);
            let movement = answered("payments", answer)?.movement;
            Ok(Some(Movement::of(movement.ok_or_else(|| incomplete("payments"))?)))
        })
        .await
    }

    /// Writes a post as the caller.
    async fn create_post(
        &self,
        ctx: &Context<'_>,
        input: CreatePostInput,
        idempotency_key: Option<String>,
    ) -> Nullable<Post> {
        nullable(async {
            let (calls, CreatePostInput { title, content, tags }) = (calls(ctx), input);
            let request = content::CreatePostRequest {
                author_id: String::new(),
                title,
                content,
                tags,
                idempotency_key: idempotency_key.unwrap_or_default(),
            };
            let answer = calls.content().create_post(calls.ask(request)).await;
            fresh(ctx);
            let post = answered("content", answer)?.post;
            Ok(Some(Post::of(post.ok_or_else(|| incomplete("content"))?)))
        })
        .await
    }

    /// Says something about a post, as the caller.
    async fn create_comment(
        &self,
        ctx: &Context<'_>,
        post_id: ID,
        #[graphql(desc = "1 to 5 000 characters.")] content: String,
        idempotency_key: Option<String>,
    ) -> Nullable<Comment> {
        nullable(async {
            let calls = calls(ctx);
            let request = content::CreateCommentRequest {
                post_id: post_id.0,
                content,
                idempotency_key: idempotency_key.unwrap_or_default(),
            };
            let answer = calls.content().create_comment(calls.ask(request)).await;
            fresh(ctx);
            let comment = answered("content", answer)?.comment;
            Ok(Some(Comment::of(comment.ok_or_else(|| incomplete("content"))?)))
        })
        .await
    }
}

/// What was looked up before an effect may be old after it.
fn fresh(ctx: &Context<'_>) {
    loaders(ctx).enable_all_cache(false);
}
