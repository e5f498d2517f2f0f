//! Messages without what the work does not need: what an answer is weighed against.

use shop_contracts::rpc::{content, orders, users};

/// Id, name and e-mail address.
pub(super) fn of_user(answer: &users::GetUserResponse) -> users::GetUserResponse {
    let user = answer.user.as_ref().map(|user| users::User {
        id: user.id.clone(),
        name: user.name.clone(),
        email: user.email.clone(),
        ..users::User::default()
    });
    users::GetUserResponse { user }
}

/// Id, title and time of each post, and where the next page begins.
pub(super) fn of_posts(answer: &content::ListPostsResponse) -> content::ListPostsResponse {
    let posts = answer.posts.iter().map(|post| content::Post {
        id: post.id.clone(),
        title: post.title.clone(),
        created_at: post.created_at,
        ..content::Post::default()
    });
    let next_page_token = answer.next_page_token.clone();
    content::ListPostsResponse { posts: posts.collect(), next_page_token }
}

/// Id, content and the author's name of each comment.
pub(super) fn of_comments(
    answer: &content::BatchListCommentsResponse,
) -> content::BatchListCommentsResponse {
    let needed = |comment: &content::Comment| content::Comment {
        id: comment.id.clone(),
        content: comment.content.clone(),
        author: comment.author.as_ref().map(|author| content::Author {
            name: author.name.clone(),
            ..content::Author::default()
        }),
        ..content::Comment::default()
    };
    let posts = answer.posts.iter().map(|of| content::CommentsOfPost {
        post_id: of.post_id.clone(),
        comments: of.comments.iter().map(needed).collect(),
        next_page_token: of.next_page_token.clone(),
    });
    content::BatchListCommentsResponse { posts: posts.collect() }
}

/// Of an order only the states that are new are needed; without any it is surplus as a whole.
pub(super) fn of_order(order: &orders::Order, known: usize) -> orders::WatchOrderResponse {
    let history = order.history.get(known..).unwrap_or_default();
    let order = (!history.is_empty()).then(|| orders::Order {
        status: order.status,
        history: history
            .iter()
            .map(|change| orders::StatusChange { reason: None, ..change.clone() })
            .collect(),
        ..orders::Order::default()
    });
    orders::WatchOrderResponse { order }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_what_nobody_needs_is_shorter_by_just_that() {
        let user = users::User { id: "1".into(), name: "Ada".into(), ..users::User::default() };
        let exact = users::GetUserResponse { user: Some(user.clone()) };
        assert_eq!(of_user(&exact), exact);
        let updated_at = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
        let more = users::GetUserResponse { user: Some(users::User { updated_at, ..user }) };
        assert_eq!(of_user(&more), exact);
    }

    #[test]
    fn of_an_order_only_what_is_new_is_needed() {
        let change = |status: orders::OrderStatus| orders::StatusChange {
            status: status.into(),
            ..orders::StatusChange::default()
        };
        let completed = change(orders::OrderStatus::Completed);
        let order = orders::Order {
            id: "1".into(),
            status: completed.status,
            history: vec![change(orders::OrderStatus::Started), completed.clone()],
            ..orders::Order::default()
        };
        let needed = of_order(&order, 1).order.unwrap();
        assert_eq!((needed.id.as_str(), needed.history), ("", vec![completed]));
        assert!(of_order(&order, 2).order.is_none());
    }
}
