//! Users and sessions over gRPC.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use shop_contracts::rpc::users as wire;
use shop_contracts::rpc::users::user_service_server::{UserService, UserServiceServer};
use shop_contracts::rpc::{DESCRIPTORS, timestamp};
use shop_edge::rpc::{ANSWER_LIMIT, Answer, Called, MESSAGE_LIMIT, answer, batch, opened};
use shop_edge::{Auth, Deps, Input, Page, Problem, Rpc};
use tonic::Request;

use super::wanted;
use crate::app::{App, Error, TOKEN_TTL, User};

struct Edge {
    app: App,
    auth: Arc<Auth>,
}

/// The service as it is described.
pub fn services(app: App, deps: &Deps) -> Rpc {
    let server = UserServiceServer::new(Edge { app, auth: deps.auth.clone() })
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(ANSWER_LIMIT);
    Rpc::of(deps, DESCRIPTORS).with(server)
}

// === impl Edge ===

impl Edge {
    async fn signed_up(
        &self,
        called: &Called,
        asked: wire::SignUpRequest,
    ) -> Result<wire::SignUpResponse, Problem> {
        let wire::SignUpRequest { name, email, password } = asked;
        let mut input = Input::of(json!({ "name": name, "email": email, "password": password }));
        let (name, email, password) = wanted::newcomer(&mut input);
        input.finish()?;
        let user = self.app.sign_up(called.context(), name, email, password).await?;
        Ok(wire::SignUpResponse { user: Some(shown(user)) })
    }

    async fn signed_in(&self, asked: wire::SignInRequest) -> Result<wire::SignInResponse, Problem> {
        let mut input = Input::of(json!({ "email": asked.email, "password": asked.password }));
        let (email, password) = wanted::credentials(&mut input);
        input.finish()?;
        let (token, user_id) = self.app.sign_in(&email, password).await?;
        let expires_in = TOKEN_TTL.as_secs().cast_signed();
        Ok(wire::SignInResponse { token, expires_in, user_id })
    }

    async fn one(
        &self,
        called: &Called,
        asked: wire::GetUserRequest,
    ) -> Result<wire::GetUserResponse, Problem> {
        called.principal()?.owns_or_404(&asked.id)?;
        Ok(wire::GetUserResponse { user: Some(shown(self.app.user(&asked.id).await?)) })
    }

    async fn listed(
        &self,
        called: &Called,
        asked: wire::ListUsersRequest,
    ) -> Result<wire::ListUsersResponse, Problem> {
        let caller = called.principal()?;
        if !caller.is_operator() {
            let users = match self.app.user(&caller.user_id).await {
                Ok(user) => vec![shown(user)],
                Err(Error::NotFound) => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            return Ok(wire::ListUsersResponse { users, next_page_token: String::new() });
        }
        let page = Page::of(asked.page_size, &asked.page_token)?;
        let after = page.after(&self.auth, "users")?;
        let users = self.app.users(after, page.limit + 1).await?;
        let place = |user: &User| (user.created_at.into(), user.id.clone());
        let users = page.collect(&self.auth, "users", users, place);
        Ok(wire::ListUsersResponse {
            users: users.items.into_iter().map(shown).collect(),
            next_page_token: users.next.unwrap_or_default(),
        })
    }

    async fn updated(
        &self,
        called: &Called,
        asked: wire::UpdateUserRequest,
    ) -> Result<wire::UpdateUserResponse, Problem> {
        called.principal()?.owns_or_404(&asked.id)?;
        let fields = [("name", asked.name), ("email", asked.email), ("password", asked.password)];
        let named: Map<_, _> = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))))
            .collect();
        let mut input = Input::of(Value::Object(named));
        let change = wanted::change(&mut input);
        input.finish()?;
        let user = self.app.change(called.context(), &asked.id, change).await?;
        Ok(wire::UpdateUserResponse { user: Some(shown(user)) })
    }

    async fn deleted(
        &self,
        called: &Called,
        asked: wire::DeleteUserRequest,
    ) -> Result<wire::DeleteUserResponse, Problem> {
        called.principal()?.owns_or_404(&asked.id)?;
        self.app.remove(called.context(), &asked.id).await?;
        Ok(wire::DeleteUserResponse {})
    }

    async fn found(
        &self,
        called: &Called,
        asked: wire::BatchGetUsersRequest,
    ) -> Result<wire::BatchGetUsersResponse, Problem> {
        let caller = called.principal()?;
        let ids = batch::distinct(asked.ids, "ids")?;
        let read = |id: String| async move {
            match self.app.user(&id).await {
                Ok(user) => Ok(Some(user)),
                Err(Error::NotFound) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let users = batch::found(ids, read).await?.into_iter().map(|user| {
            let is_shown = caller.owns_or_404(&user.id).is_ok();
            wire::PublicUser { id: user.id, name: user.name, email: is_shown.then_some(user.email) }
        });
        Ok(wire::BatchGetUsersResponse { users: users.collect() })
    }
}

#[tonic::async_trait]
impl UserService for Edge {
    async fn sign_up(&self, request: Request<wire::SignUpRequest>) -> Answer<wire::SignUpResponse> {
        let (called, asked) = opened(request)?;
        answer(self.signed_up(&called, asked).await)
    }

    async fn sign_in(&self, request: Request<wire::SignInRequest>) -> Answer<wire::SignInResponse> {
        answer(self.signed_in(request.into_inner()).await)
    }

    async fn get_session(
        &self,
        request: Request<wire::GetSessionRequest>,
    ) -> Answer<wire::GetSessionResponse> {
        let (called, _) = opened(request)?;
        let caller = called.principal()?;
        let role = if caller.is_operator() { wire::Role::Operator } else { wire::Role::Customer };
        answer(Ok(wire::GetSessionResponse { user_id: caller.user_id, role: role.into() }))
    }

    async fn get_user(
        &self,
        request: Request<wire::GetUserRequest>,
    ) -> Answer<wire::GetUserResponse> {
        let (called, asked) = opened(request)?;
        answer(self.one(&called, asked).await)
    }

    async fn list_users(
        &self,
        request: Request<wire::ListUsersRequest>,
    ) -> Answer<wire::ListUsersResponse> {
        let (called, asked) = opened(request)?;
        answer(self.listed(&called, asked).await)
    }

    async fn update_user(
        &self,
        request: Request<wire::UpdateUserRequest>,
    ) -> Answer<wire::UpdateUserResponse> {
        let (called, asked) = opened(request)?;
        answer(self.updated(&called, asked).await)
    }

    async fn delete_user(
        &self,
        request: Request<wire::DeleteUserRequest>,
    ) -> Answer<wire::DeleteUserResponse> {
        let (called, asked) = opened(request)?;
        answer(self.deleted(&called, asked).await)
    }

    async fn batch_get_users(
        &self,
        request: Request<wire::BatchGetUsersRequest>,
    ) -> Answer<wire::BatchGetUsersResponse> {
        let (called, asked) = opened(request)?;
        answer(self.found(&called, asked).await)
    }
}

fn shown(user: User) -> wire::User {
    wire::User {
        id: user.id,
        name: user.name,
        email: user.email,
        created_at: Some(timestamp(user.created_at)),
        updated_at: Some(timestamp(user.updated_at)),
    }
}
