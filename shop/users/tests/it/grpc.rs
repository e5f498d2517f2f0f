//! The same contract over gRPC.

use serde_json::json;
use shop_contracts::rpc::users as wire;
use shop_contracts::rpc::users::user_service_client::UserServiceClient;
use shop_edge::rpc::Guard;
use shop_edge::testing::{asked, guarded};
use shop_users::App;
use shop_users::edge::grpc;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::Shop;

impl Shop {
    fn client(&self) -> UserServiceClient<Guard> {
        UserServiceClient::new(guarded(grpc::services(App::new(&self.deps), &self.deps)))
    }

    fn asks<T>(&self, token: &str, message: T) -> Request<T> {
        asked(&self.deps.auth, token, message)
    }

    async fn newcomer(
        &self,
        client: &mut UserServiceClient<Guard>,
        name: &str,
    ) -> (wire::User, String) {
        let (email, password) = (format!("{name}@example.org"), "correct horse".to_owned());
        let sign_up = wire::SignUpRequest { name: name.to_owned(), email: email.clone(), password };
        let user = client.sign_up(self.asks("", sign_up)).await.unwrap().into_inner().user.unwrap();
        let sign_in = wire::SignInRequest { email, password: "correct horse".to_owned() };
        let session = client.sign_in(self.asks("", sign_in)).await.unwrap().into_inner();
        assert_eq!((&session.user_id, session.expires_in), (&user.id, 86_400));
        (user, session.token)
    }
}

#[tokio::test]
async fn who_signs_up_signs_in_and_is_the_same_over_rest() {
    let shop = Shop::new();
    let mut client = shop.client();
    let (ann, token) = shop.newcomer(&mut client, "ann").await;
    let over_rest = shop.call("GET", &format!("/users/{}", ann.id), &token, json!(null)).await;
    assert_eq!((over_rest.status, &over_rest.body["name"]), (200, &"ann".into()));
    let get = wire::GetUserRequest { id: ann.id.clone() };
    let seen = client.get_user(shop.asks(&token, get)).await.unwrap().into_inner().user.unwrap();
    assert_eq!(seen, ann);
    let created = seen.created_at.unwrap();
    assert_eq!((created.seconds, created.nanos), (1_767_225_600, 0));
    let session = client.get_session(shop.asks(&token, wire::GetSessionRequest {})).await.unwrap();
    let session = session.into_inner();
    assert_eq!((session.role(), session.user_id), (wire::Role::Customer, ann.id));
}

#[tokio::test]
async fn p1_refusals_are_those_of_rest() {
    let shop = Shop::new();
    let mut client = shop.client();
    let (ann, token) = shop.newcomer(&mut client, "ann").await;
    let (_, bobs) = shop.newcomer(&mut client, "bob").await;
    let get = || wire::GetUserRequest { id: ann.id.clone() };
    for (token, code) in
        [("", Code::Unauthenticated), ("bad", Code::Unauthenticated), (&*bobs, Code::NotFound)]
    {
        let status = client.get_user(shop.asks(token, get())).await.unwrap_err();
        assert_eq!(status.code(), code, "{token}");
    }
    let again = wire::SignUpRequest {
        name: "Ann".to_owned(),
        email: "ANN@example.org".to_owned(),
        password: "correct horse".to_owned(),
    };
    let taken = client.sign_up(shop.asks("", again)).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    let wrong = wire::SignInRequest { email: ann.email.clone(), password: "wrong".to_owned() };
    let status = client.sign_in(shop.asks("", wrong)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let gone = wire::DeleteUserRequest { id: ann.id.clone() };
    client.delete_user(shop.asks(&token, gone)).await.unwrap();
    let status = client.get_user(shop.asks(&token, get())).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn p2_mistakes_are_named_by_field_and_only_what_is_given_changes() {
    let shop = Shop::new();
    let mut client = shop.client();
    let status = client.sign_up(shop.asks("", wire::SignUpRequest::default())).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let fields: Vec<_> = details.bad_request().unwrap().field_violations.iter().collect();
    let named: Vec<_> = fields.iter().map(|it| (&*it.field, &*it.reason)).collect();
    assert_eq!(named, [("name", "LENGTH"), ("email", "LENGTH"), ("password", "LENGTH")]);
    let (ann, token) = shop.newcomer(&mut client, "ann").await;
    let change = wire::UpdateUserRequest {
        id: ann.id.clone(),
        name: Some("Anna".to_owned()),
        ..Default::default()
    };
    let after = client.update_user(shop.asks(&token, change)).await.unwrap().into_inner();
    let after = after.user.unwrap();
    assert_eq!((&*after.name, &after.email), ("Anna", &ann.email));
}

#[tokio::test]
async fn strangers_see_names_and_the_operator_sees_pages() {
    let shop = Shop::new();
    let mut client = shop.client();
    let (ann, token) = shop.newcomer(&mut client, "ann").await;
    let (bob, _) = shop.newcomer(&mut client, "bob").await;
    let ids = [&*bob.id, "nobody", &*ann.id, &*bob.id].map(str::to_owned).into();
    let batch = wire::BatchGetUsersRequest { ids };
    let users = client.batch_get_users(shop.asks(&token, batch)).await.unwrap().into_inner().users;
    let seen: Vec<_> = users.iter().map(|it| (&*it.name, it.email.is_some())).collect();
    assert_eq!(seen, [("bob", false), ("ann", true)]);
    let own = client.list_users(shop.asks(&token, wire::ListUsersRequest::default())).await;
    assert_eq!(own.unwrap().into_inner().users, std::slice::from_ref(&ann));
    let operator = shop.deps.auth.operator_token();
    let page = |page_token| wire::ListUsersRequest { page_size: 1, page_token };
    let first = client.list_users(shop.asks(operator, page(String::new()))).await.unwrap();
    let first = first.into_inner();
    assert_eq!(first.users, [ann]);
    let next = first.next_page_token;
    let second = client.list_users(shop.asks(operator, page(next.clone()))).await.unwrap();
    let second = second.into_inner();
    assert_eq!((second.users, &*second.next_page_token), (vec![bob.clone()], ""));
    // The same cursor goes on over REST.
    let path = format!("/users?limit=1&cursor={next}");
    let over_rest = shop.call("GET", &path, operator, json!(null)).await;
    assert_eq!(over_rest.body["items"][0]["id"], bob.id);
}
