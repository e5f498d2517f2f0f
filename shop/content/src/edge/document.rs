//! The service's part of the interface's document.

use serde_json::json;
use shop_edge::openapi::text::label;
use shop_edge::openapi::{Bodies, Operation, Part, operators};

use super::shapes::{ChangeComment, ChangePost, Comment, Post, Tag, WriteComment, WritePost};

const OF_USER: &str = "/api/v1/users/{id}/posts";
const POSTS: &str = "/api/v1/posts";
const POST: &str = "/api/v1/posts/{id}";
const COMMENTS: &str = "/api/v1/posts/{id}/comments";
const COMMENT: &str = "/api/v1/posts/{id}/comments/{comment_id}";

/// Every operation of the service.
pub fn openapi() -> Part {
    let part = Part::new("posts", "What users write: posts with tags, and comments on them.");
    operators(comments(posts(part)), "/api/v1/operator/content", "Content")
}

fn posts(part: Part) -> Part {
    let tag = json!({ "type": "string", "pattern": label(32) });
    part.with(publish())
        .with(
            at_user(Operation::get(OF_USER, "listPostsOfUser"))
                .says("List a user's posts", "Newest first; any signed-in user may read them.")
                .page_of::<Post>("The posts."),
        )
        .with(
            Operation::get(POSTS, "listPosts")
                .says("List posts", "Everybody's, or those with one tag; newest first.")
                .page_of::<Post>("The posts.")
                .query("tag", "Only those with this tag.", tag, "engines"),
        )
        .with(
            at_post(Operation::get(POST, "getPost"))
                .says("Show a post", "Any signed-in user may read it.")
                .ok::<Post>("The post."),
        )
        .with(
            at_post(Operation::put(POST, "replacePost"))
                .says("Replace a post", "Its author and operators may.")
                .body::<WritePost>(Bodies::Json)
                .ok::<Post>("The post as it is now.")
                .if_match(false)
                .refuses(&[403]),
        )
        .with(
            at_post(Operation::patch(POST, "changePost"))
                .says("Change some of a post", "A merge patch: what is left out stays.")
                .body::<ChangePost>(Bodies::Patch)
                .ok::<Post>("The post as it is now.")
                .if_match(false)
                .refuses(&[403]),
        )
        .with(
            at_post(Operation::delete(POST, "deletePost"))
                .says("Remove a post", "It is gone at once, its comments a little later.")
                .empty("204", "It is gone.")
                .if_match(false)
                .refuses(&[403]),
        )
        .with(
            Operation::get("/api/v1/tags", "listTags")
                .says("List tags", "In the order of their names, with how many posts have each.")
                .page_of::<Tag>("The tags."),
        )
}

fn publish() -> Operation {
    let id = [("id", "$response.body#/id")];
    at_user(Operation::post(OF_USER, "createPost"))
        .says("Publish a post", "As oneself; operators may do it for others.")
        .body::<WritePost>(Bodies::Json)
        .created::<Post>("The post.")
        .shows("ETag")
        .idempotent(false)
        .leads_to("getPost", &id)
        .leads_to("replacePost", &id)
        .leads_to("changePost", &id)
        .leads_to("deletePost", &id)
        .leads_to("createComment", &id)
}

fn comments(part: Part) -> Part {
    let places = [("id", "$response.body#/post_id"), ("comment_id", "$response.body#/id")];
    part.with(
        at_post(Operation::post(COMMENTS, "createComment"))
            .says("Comment on a post", "Any signed-in user may. 409 when it has 10 000 comments.")
            .body::<WriteComment>(Bodies::Json)
            .created::<Comment>("The comment.")
            .shows("ETag")
            .idempotent(false)
            .refuses(&[409])
            .leads_to("getComment", &places)
            .leads_to("replaceComment", &places)
            .leads_to("changeComment", &places)
            .leads_to("deleteComment", &places),
    )
    .with(
        at_post(Operation::get(COMMENTS, "listComments"))
            .says("List a post's comments", "Oldest first.")
            .page_of::<Comment>("The comments."),
    )
    .with(
        at_comment(Operation::get(COMMENT, "getComment"))
            .says("Show a comment", "Any signed-in user may read it.")
            .ok::<Comment>("The comment."),
    )
    .with(
        at_comment(Operation::put(COMMENT, "replaceComment"))
            .says("Replace a comment", "Its author and operators may.")
            .body::<WriteComment>(Bodies::Json)
            .ok::<Comment>("The comment as it is now.")
            .if_match(false)
            .refuses(&[403]),
    )
    .with(
        at_comment(Operation::patch(COMMENT, "changeComment"))
            .says("Change a comment", "A merge patch: one that names nothing changes nothing.")
            .body::<ChangeComment>(Bodies::Patch)
            .ok::<Comment>("The comment as it is now.")
            .if_match(false)
            .refuses(&[403]),
    )
    .with(
        at_comment(Operation::delete(COMMENT, "deleteComment"))
            .says("Remove a comment", "Its author and operators may.")
            .empty("204", "It is gone.")
            .if_match(false)
            .refuses(&[403]),
    )
}

fn at_user(operation: Operation) -> Operation {
    operation.at_id("id", "The user who wrote them.")
}

fn at_post(operation: Operation) -> Operation {
    operation.at_id("id", "The post.")
}

fn at_comment(operation: Operation) -> Operation {
    at_post(operation).at_id("comment_id", "The comment.")
}
