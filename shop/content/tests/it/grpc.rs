//! The same contract over gRPC.

use serde_json::json;
use shop_content::edge::grpc;
use shop_contracts::rpc::content as wire;
use shop_contracts::rpc::content::content_service_client::ContentServiceClient;
use shop_edge::rpc::Guard;
use shop_edge::testing::{asked, guarded};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::Shop;

impl Shop {
    fn client(&self) -> ContentServiceClient<Guard> {
        let rpc = grpc::services(self.app.clone(), &self.bench.deps);
        ContentServiceClient::new(guarded(rpc))
    }

    fn asks<T>(&self, user: &str, message: T) -> Request<T> {
        asked(&self.bench.deps.auth, &self.bench.token(user), message)
    }

    async fn posted(&self, user: &str, title: &str) -> wire::Post {
        let create = wire::CreatePostRequest {
            title: title.to_owned(),
            content: "Words.".to_owned(),
            ..Default::default()
        };
        let answer = self.client().create_post(self.asks(user, create)).await;
        self.bench.clock.advance(std::time::Duration::from_secs(1));
        answer.unwrap().into_inner().post.unwrap()
    }

    async fn commented(&self, user: &str, post_id: &str) -> wire::Comment {
        let create = wire::CreateCommentRequest {
            post_id: post_id.to_owned(),
            content: "Yes.".to_owned(),
            ..Default::default()
        };
        let answer = self.client().create_comment(self.asks(user, create)).await;
        self.bench.clock.advance(std::time::Duration::from_secs(1));
        answer.unwrap().into_inner().comment.unwrap()
    }
}

fn ids(posts: &[wire::Post]) -> Vec<&str> {
    posts.iter().map(|post| &*post.id).collect()
}

#[tokio::test]
async fn a_post_is_written_read_changed_and_removed_by_its_author() {
    let shop = Shop::new();
    let mut client = shop.client();
    let post = shop.posted("ann", "Mugs").await;
    let get = || wire::GetPostRequest { id: post.id.clone() };
    let seen = client.get_post(shop.asks("bob", get())).await.unwrap().into_inner().post.unwrap();
    assert_eq!(seen, post);
    let update = |expected_version| wire::UpdatePostRequest {
        id: post.id.clone(),
        title: Some("Cups".to_owned()),
        tags: Some(wire::TagList { names: vec!["Tea".to_owned(), "tea".to_owned()] }),
        expected_version,
        ..Default::default()
    };
    let status = client.update_post(shop.asks("bob", update(None))).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let stale = client.update_post(shop.asks("ann", update(Some(7)))).await.unwrap_err();
    let reason = stale.get_error_details().error_info().unwrap().reason.clone();
    assert_eq!((stale.code(), &*reason), (Code::Aborted, "PRECONDITION_FAILED"));
    let after = client.update_post(shop.asks("ann", update(Some(post.version)))).await.unwrap();
    let after = after.into_inner().post.unwrap();
    assert_eq!((&*after.title, &*after.content), ("Cups", "Words."));
    assert_eq!((after.tags, after.version > post.version), (vec!["tea".to_owned()], true));
    let tags = client.list_tags(shop.asks("bob", wire::ListTagsRequest::default())).await.unwrap();
    assert_eq!(tags.into_inner().tags, [wire::Tag { name: "tea".to_owned(), posts: 1 }]);
    let delete = wire::DeletePostRequest { id: post.id.clone(), expected_version: None };
    client.delete_post(shop.asks("ann", delete)).await.unwrap();
    let status = client.get_post(shop.asks("ann", get())).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn e7_a_key_means_the_same_in_both_protocols() {
    let shop = Shop::new();
    let body = json!({ "title": "Mugs", "content": "They hold tea.", "tags": ["tea"] });
    let create = || wire::CreatePostRequest {
        title: "Mugs".to_owned(),
        content: "They hold tea.".to_owned(),
        tags: vec!["tea".to_owned()],
        idempotency_key: "k1".to_owned(),
        ..Default::default()
    };
    let first = shop.client().create_post(shop.asks("ann", create())).await.unwrap().into_inner();
    let again = shop.client().create_post(shop.asks("ann", create())).await.unwrap().into_inner();
    assert!(!first.replayed && again.replayed);
    assert_eq!(first.post, again.post);
    let over_rest = shop.keyed("POST", "/users/ann/posts", "ann", "k1", body).await;
    assert_eq!((over_rest.status, &over_rest.body["id"]), (201, &first.post.unwrap().id.into()));
    let others = wire::CreatePostRequest { author_id: "bob".to_owned(), ..create() };
    let status = shop.client().create_post(shop.asks("ann", others)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn comments_have_their_post_their_author_and_their_version() {
    let shop = Shop::new();
    let mut client = shop.client();
    let post = shop.posted("ann", "Mugs").await;
    let comment = shop.commented("bob", &post.id).await;
    assert_eq!((&comment.post_id, &*comment.author.as_ref().unwrap().id), (&post.id, "bob"));
    let update = |content: &str, expected_version| wire::UpdateCommentRequest {
        post_id: post.id.clone(),
        id: comment.id.clone(),
        content: content.to_owned(),
        expected_version,
    };
    let status = client.update_comment(shop.asks("ann", update("No.", None))).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let status = client.update_comment(shop.asks("bob", update("", None))).await.unwrap_err();
    let details = status.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "content");
    let after = client.update_comment(shop.asks("bob", update("No.", Some(1)))).await.unwrap();
    assert_eq!(after.into_inner().comment.unwrap().content, "No.");
    let (post_id, id) = (post.id.clone(), comment.id.clone());
    let delete = wire::DeleteCommentRequest { post_id, id, expected_version: None };
    client.delete_comment(shop.asks("bob", delete)).await.unwrap();
    let get = wire::GetCommentRequest { post_id: post.id.clone(), id: comment.id.clone() };
    let status = client.get_comment(shop.asks("bob", get)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn batches_answer_for_each_key_and_say_where_the_next_page_begins() {
    let shop = Shop::new();
    let mut client = shop.client();
    let (one, two) = (shop.posted("ann", "1").await, shop.posted("ann", "2").await);
    let batch = wire::BatchListPostsRequest {
        author_ids: ["ann", "bob", "ann"].map(str::to_owned).into(),
        limit: 1,
    };
    let lists = client.batch_list_posts(shop.asks("bob", batch)).await.unwrap().into_inner();
    let [anns, bobs] = &*lists.authors else { panic!("{lists:?}") };
    assert_eq!((ids(&anns.posts), ids(&bobs.posts)), (vec![&*two.id], vec![]));
    let next = wire::ListPostsRequest {
        author_id: "ann".to_owned(),
        page_size: 5,
        page_token: anns.next_page_token.clone(),
    };
    let next = client.list_posts(shop.asks("bob", next)).await.unwrap().into_inner();
    assert_eq!((ids(&next.posts), &*next.next_page_token), (vec![&*one.id], ""));
    let posts =
        wire::BatchGetPostsRequest { ids: vec![two.id.clone(), "none".to_owned(), one.id.clone()] };
    let posts = client.batch_get_posts(shop.asks("bob", posts)).await.unwrap().into_inner().posts;
    assert_eq!(ids(&posts), [&*two.id, &*one.id]);
    let (first, second) =
        (shop.commented("bob", &one.id).await, shop.commented("eve", &one.id).await);
    let threads =
        wire::BatchListCommentsRequest { post_ids: vec![two.id.clone(), one.id.clone()], limit: 1 };
    let threads = client.batch_list_comments(shop.asks("bob", threads)).await.unwrap().into_inner();
    let [none, some] = &*threads.posts else { panic!("{threads:?}") };
    assert_eq!((&*none.comments, &*some.comments), (&[][..], &[first][..]));
    let next = wire::ListCommentsRequest {
        post_id: one.id.clone(),
        page_size: 5,
        page_token: some.next_page_token.clone(),
    };
    let next = client.list_comments(shop.asks("bob", next)).await.unwrap().into_inner();
    assert_eq!(next.comments, [second]);
}
