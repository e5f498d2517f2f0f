//! The twin over gRPC: one method on bare tonic.

use http::StatusCode;
use shop_contracts::rpc::timestamp;
use shop_contracts::rpc::users as wire;
use shop_contracts::rpc::users::user_service_server::{UserService, UserServiceServer};
use shop_edge::Deps;
use shop_edge::rpc::SERVICE_KEY;
use switchboard_store::Row;
use tokio::net::TcpListener;
use tonic::{Request, Status};

use super::{Shown, Twin, serve, time};
use crate::Outcome;

/// Serves gRPC.
pub(crate) async fn grpc(listener: TcpListener, deps: Deps) -> Outcome<()> {
    let server = UserServiceServer::new(Twin::of(&deps, Shown::default()));
    serve(listener, tonic::service::Routes::new(server).prepare().into_axum_router()).await
}

#[tonic::async_trait]
impl UserService for Twin {
    async fn get_user(
        &self,
        request: Request<wire::GetUserRequest>,
    ) -> Result<tonic::Response<wire::GetUserResponse>, Status> {
        let (metadata, _, asked) = request.into_parts();
        let headers = metadata.into_headers();
        let key = headers.get(SERVICE_KEY);
        let answer = if key.is_some_and(|key| self.auth.is_service_key(key.as_bytes())) {
            self.find(&headers, &asked.id).await
        } else {
            Err(StatusCode::UNAUTHORIZED)
        };
        let answer = match answer {
            Ok(row) => {
                Ok(tonic::Response::new(wire::GetUserResponse { user: Some(message(&row)) }))
            }
            Err(status) if status == StatusCode::NOT_FOUND => {
                Err(Status::not_found("no such user"))
            }
            Err(status) => Err(Status::unauthenticated(status.as_str())),
        };
        let request_id = self.id();
        let code = answer.as_ref().map_or("-", |_| "0");
        let path = "/shop.users.v1.UserService/GetUser";
        tracing::debug!(target: "switchboard::access", %request_id, path, code, "answered");
        answer
    }

    async fn sign_up(
        &self,
        _: Request<wire::SignUpRequest>,
    ) -> Result<tonic::Response<wire::SignUpResponse>, Status> {
        Err(not_here())
    }

    async fn sign_in(
        &self,
        _: Request<wire::SignInRequest>,
    ) -> Result<tonic::Response<wire::SignInResponse>, Status> {
        Err(not_here())
    }

    async fn get_session(
        &self,
        _: Request<wire::GetSessionRequest>,
    ) -> Result<tonic::Response<wire::GetSessionResponse>, Status> {
        Err(not_here())
    }

    async fn list_users(
        &self,
        _: Request<wire::ListUsersRequest>,
    ) -> Result<tonic::Response<wire::ListUsersResponse>, Status> {
        Err(not_here())
    }

    async fn update_user(
        &self,
        _: Request<wire::UpdateUserRequest>,
    ) -> Result<tonic::Response<wire::UpdateUserResponse>, Status> {
        Err(not_here())
    }

    async fn delete_user(
        &self,
        _: Request<wire::DeleteUserRequest>,
    ) -> Result<tonic::Response<wire::DeleteUserResponse>, Status> {
        Err(not_here())
    }

    async fn batch_get_users(
        &self,
        _: Request<wire::BatchGetUsersRequest>,
    ) -> Result<tonic::Response<wire::BatchGetUsersResponse>, Status> {
        Err(not_here())
    }
}

fn not_here() -> Status {
    Status::unimplemented("the twin reads one user")
}

fn message(row: &Row) -> wire::User {
    wire::User {
        id: row.key.clone(),
        name: row.text("name").to_owned(),
        email: row.text("email").to_owned(),
        created_at: Some(timestamp(time(row, "created_at"))),
        updated_at: Some(timestamp(time(row, "updated_at"))),
    }
}
