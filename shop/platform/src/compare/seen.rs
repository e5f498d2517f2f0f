//! What the answers say, whatever protocol they came in, and whether that is what was written.

use serde::Deserialize;
use switchboard_core::{BoxError, Timestamp};

use super::Tally;
use super::fill::{Reader, Written};

/// A user.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) email: String,
}

/// A post; REST brings its comments separately.
#[derive(Debug, Deserialize)]
pub(super) struct Post {
    pub(super) id: String,
    pub(super) title: String,
    #[serde(alias = "createdAt")]
    pub(super) created_at: Timestamp,
    #[serde(default)]
    pub(super) comments: Vec<Comment>,
}

/// A comment.
#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    pub(super) id: String,
    pub(super) content: String,
    pub(super) author: Author,
}

/// Who has written something.
#[derive(Debug, Deserialize)]
pub(super) struct Author {
    pub(super) name: Option<String>,
}

/// An order at one moment.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    pub(super) status: String,
    pub(super) history: Vec<Change>,
}

/// A state that an order came to.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    pub(super) at: Timestamp,
}

/// Follows one order: which of its states are news, and whether there will be more.
#[derive(Debug, Default)]
pub(super) struct Following {
    known: usize,
}

/// The states after which nothing happens by itself any more.
const FINAL: [&str; 4] = ["completed", "failed", "payment_cancelled", "undo_failed"];

// === impl Reader ===

impl Reader {
    /// Whether this is who they are.
    pub(super) fn check_user(&self, user: &User) -> Result<(), BoxError> {
        let customer = &self.customer;
        if (&user.id, &user.name, &user.email) == (&customer.id, &customer.name, &self.email) {
            return Ok(());
        }
        Err(format!("another user than {} was answered: {user:?}", customer.id).into())
    }

    /// Whether these are their posts, with all comments and who wrote them.
    pub(super) fn check_posts(&self, posts: &[Post]) -> Result<(), BoxError> {
        if posts.len() != self.posts.len() {
            return Err(
                format!("{} posts in the place of {}", posts.len(), self.posts.len()).into()
            );
        }
        let wrong = posts.iter().zip(&self.posts).find(|(post, written)| !post.is(written));
        match wrong {
            Some((post, written)) => Err(format!("{post:?} in the place of {written:?}").into()),
            None => Ok(()),
        }
    }

    /// Whether this is the long list, in its order.
    pub(super) fn check_list(&self, list: &[Post]) -> Result<(), BoxError> {
        let ids = &self.list.ids;
        let is_right = list.len() == ids.len()
            && list.iter().zip(ids).all(|(post, id)| {
                post.id == *id && !post.title.is_empty() && post.created_at != Timestamp::default()
            });
        if is_right { Ok(()) } else { Err(format!("{} posts, or others", list.len()).into()) }
    }
}

// === impl Post ===

impl Post {
    fn is(&self, written: &Written) -> bool {
        (&self.id, &self.title) == (&written.id, &written.title)
            && self.created_at != Timestamp::default()
            && self.comments.len() == written.comments.len()
            && self.comments.iter().zip(&written.comments).all(|(comment, written)| {
                comment.id == written.id
                    && comment.content == written.content
                    && comment.author.name.as_ref() == Some(&written.author)
            })
    }
}

// === impl Following ===

impl Following {
    /// How many states were known before.
    pub(super) fn known(&self) -> usize {
        self.known
    }

    /// Takes the order as it is at `now`, and notes how old each state is that is new. How it
    /// begins was answered when it was placed, and is no news.
    pub(super) fn take(&mut self, order: &Order, now: Timestamp, tally: &Tally) {
        let news = order.history.iter().skip(self.known.max(1));
        tally.notices.borrow_mut().extend(news.map(|change| now.since(change.at)));
        self.known = self.known.max(order.history.len());
    }

    /// Whether nothing comes any more after this.
    ///
    /// # Errors
    /// When the order did not go well.
    pub(super) fn is_over(order: &Order) -> Result<bool, BoxError> {
        let is = |state: &str| order.status.eq_ignore_ascii_case(state);
        if is("completed") {
            return Ok(true);
        }
        if FINAL.iter().any(|state| is(state)) {
            return Err(format!("an order that must go well ended as {}", order.status).into());
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn order(status: &str, times: &[i64]) -> Order {
        let change = |at: &i64| Change { at: Timestamp::from_micros(*at) };
        Order { status: status.to_owned(), history: times.iter().map(change).collect() }
    }

    #[test]
    fn each_state_is_news_once_and_the_first_is_none() {
        let (mut following, tally) = (Following::default(), Tally::default());
        let now = Timestamp::from_micros(100);
        following.take(&order("started", &[10]), now, &tally);
        following.take(&order("payment_processing", &[10, 40]), now, &tally);
        following.take(&order("payment_processing", &[10, 40]), now, &tally);
        following.take(&order("completed", &[10, 40, 70, 90]), now, &tally);
        let expected = [60, 30, 10].map(Duration::from_micros);
        assert_eq!(*tally.notices.borrow(), expected);
        assert_eq!(following.known(), 4);
    }

    #[test]
    fn an_order_is_over_when_it_is_completed_in_any_spelling_and_wrong_when_it_failed() {
        assert!(!Following::is_over(&order("started", &[])).unwrap());
        assert!(Following::is_over(&order("completed", &[])).unwrap());
        assert!(Following::is_over(&order("COMPLETED", &[])).unwrap());
        assert!(Following::is_over(&order("PAYMENT_CANCELLED", &[])).is_err());
    }

    #[test]
    fn both_spellings_of_json_are_the_same_post() {
        let rest = r#"{"id":"1","title":"t","created_at":"2026-01-01T00:00:01Z","tags":[]}"#;
        let graphql = r#"{"id":"1","title":"t","createdAt":"2026-01-01T00:00:01Z","comments":[]}"#;
        let [rest, graphql]: [Post; 2] =
            [rest, graphql].map(|text| serde_json::from_str(text).unwrap());
        assert_eq!((rest.title, rest.created_at), (graphql.title, graphql.created_at));
    }
}
