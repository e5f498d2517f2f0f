//! Where questions begin.

use async_graphql::{Context, ID, Object};
use shop_contracts::rpc::{content, inventory, orders, payments, users};

use super::super::calls::answered;
use super::super::loaders::AccountId;
use super::super::meter::list;
use super::account::Account;
use super::connection::{Page, Place, Wanted, page_of};
use super::order::Order;
use super::post::{Post, Tag};
use super::product::Product;
use super::user::User;
use super::{Nullable, calls, found, items, nullable, signed_in};

/// Where questions begin.
#[derive(Debug)]
pub struct Query;

/// Questions. Products, their stock and the schema are for everybody; everything else asks for a
/// token: `Authorization: Bearer …`, from the mutation `signIn`.
#[Object]
impl Query {
    /// The caller; null for the operator, who is no customer.
    async fn me(&self, ctx: &Context<'_>) -> Nullable<User> {
        nullable(async {
            let id = signed_in(ctx)?;
            User::find(ctx, id).await
        })
        .await
    }

    /// A customer; null when there is none of this id.
    async fn user(&self, ctx: &Context<'_>, id: ID) -> Nullable<User> {
        nullable(async {
            signed_in(ctx)?;
            User::find(ctx, id.0).await
        })
        .await
    }

    /// Customers in the order in which they signed up: all for the operator, themselves for
    /// everybody else.
    #[graphql(complexity = "list(items(first), child_complexity)")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page: 20 by default, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Where the page begins: a cursor of this list.")] after: Option<String>,
    ) -> Nullable<Page<User>> {
        nullable(async {
            signed_in(ctx)?;
            let (calls, wanted) = (calls(ctx), Wanted::of(first, after)?);
            let page_token = wanted.token.clone();
            let request = users::ListUsersRequest { page_size: wanted.size.max(1), page_token };
            let page = answered("users", calls.users().list_users(calls.ask(request)).await)?;
            let place = |user: &users::User| Place::at(user.created_at.as_ref(), &user.id);
            let (items, next) = (page.users, page.next_page_token);
            Ok(Some(page_of(calls, "users", &wanted, items, &next, place, User::of)))
        })
        .await
    }

    /// A post; null when there is none of this id.
    async fn post(&self, ctx: &Context<'_>, id: ID) -> Nullable<Post> {
        nullable(async {
            signed_in(ctx)?;
            Post::find(ctx, id.0).await
        })
        .await
    }

    /// The tags that posts have, by name.
    #[graphql(complexity = "list(items(first), child_complexity)")]
    async fn tags(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page: 20 by default, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Where the page begins: a cursor of this list.")] after: Option<String>,
    ) -> Nullable<Page<Tag>> {
        nullable(async {
            signed_in(ctx)?;
            let (calls, wanted) = (calls(ctx), Wanted::of(first, after)?);
            let page_token = wanted.token.clone();
            let request = content::ListTagsRequest { page_size: wanted.size.max(1), page_token };
            let page = answered("content", calls.content().list_tags(calls.ask(request)).await)?;
            let place = |tag: &content::Tag| Place::by_key(&tag.name);
            let (items, next) = (page.tags, page.next_page_token);
            Ok(Some(page_of(calls, "tags", &wanted, items, &next, place, Tag::of)))
        })
        .await
    }

    /// A product; null when there is none of this name.
    async fn product(&self, ctx: &Context<'_>, sku: String) -> Nullable<Product> {
        nullable(Product::find(ctx, sku)).await
    }

    /// Products by their names in orders.
    #[graphql(complexity = "list(items(first), child_complexity)")]
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page: 20 by default, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Where the page begins: a cursor of this list.")] after: Option<String>,
    ) -> Nullable<Page<Product>> {
        nullable(async {
            let (calls, wanted) = (calls(ctx), Wanted::of(first, after)?);
            let page_token = wanted.token.clone();
            let request =
                inventory::ListProductsRequest { page_size: wanted.size.max(1), page_token };
            let answer = calls.inventory().list_products(calls.ask(request)).await;
            let page = answered("inventory", answer)?;
            let place = |product: &inventory::Product| Place::by_key(&product.sku);
            let (items, next) = (page.products, page.next_page_token);
            Ok(Some(page_of(calls, "products", &wanted, items, &next, place, Product::of)))
        })
        .await
    }

    /// One of the caller's orders; null when they have none of this id.
    async fn order(&self, ctx: &Context<'_>, id: ID) -> Nullable<Order> {
        nullable(async {
            signed_in(ctx)?;
            Order::find(ctx, id.0).await
        })
        .await
    }

    /// The caller's orders, the newest first; all of them for the operator.
    #[graphql(complexity = "list(items(first), child_complexity)")]
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page: 20 by default, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Where the page begins: a cursor of this list.")] after: Option<String>,
    ) -> Nullable<Page<Order>> {
        nullable(async {
            let caller = signed_in(ctx)?;
            let (calls, wanted) = (calls(ctx), Wanted::of(first, after)?);
            let page_token = wanted.token.clone();
            let request = orders::ListOrdersRequest { page_size: wanted.size.max(1), page_token };
            let page = answered("orders", calls.orders().list_orders(calls.ask(request)).await)?;
            let sees_all = calls.caller.known().is_ok_and(|principal| principal.is_operator());
            let filter = format!("orders of {}", if sees_all { "all" } else { &caller });
            let place = |order: &orders::Order| Place::at(order.created_at.as_ref(), &order.id);
            let (items, next) = (page.orders, page.next_page_token);
            Ok(Some(page_of(calls, &filter, &wanted, items, &next, place, Order::of)))
        })
        .await
    }

    /// One of the caller's accounts; null when they have none of this id.
    async fn account(&self, ctx: &Context<'_>, id: ID) -> Nullable<Account> {
        nullable(async {
            signed_in(ctx)?;
            Ok(found(ctx, AccountId(id.0)).await?.map(Account::of))
        })
        .await
    }

    /// The caller's accounts.
    #[graphql(complexity = "list(items(first), child_complexity)")]
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items of the page: 20 by default, 100 at most.")] first: Option<i32>,
        #[graphql(desc = "Where the page begins: a cursor of this list.")] after: Option<String>,
    ) -> Nullable<Page<Account>> {
        nullable(async {
            let caller = signed_in(ctx)?;
            let (calls, wanted) = (calls(ctx), Wanted::of(first, after)?);
            let page_token = wanted.token.clone();
            let request =
                payments::ListAccountsRequest { page_size: wanted.size.max(1), page_token };
            let answer = calls.payments().list_accounts(calls.ask(request)).await;
            let page = answered("payments", answer)?;
            let filter = format!("accounts of {caller}");
            let place = |it: &payments::Account| Place::at(it.created_at.as_ref(), &it.id);
            let (items, next) = (page.accounts, page.next_page_token);
            Ok(Some(page_of(calls, &filter, &wanted, items, &next, place, Account::of)))
        })
        .await
    }
}
