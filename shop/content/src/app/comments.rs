//! Comments: saying, changing, deleting and listing them, while their post is there.

use std::sync::Arc;

use shop_contracts::content::CommentAdded;
use shop_edge::idempotency::Ticket;
use shop_edge::{Seek, Stored};
use switchboard_core::{Context, Timestamp};
use switchboard_store::{CommitError, Expect, Row, Select, Unit, Value};

use super::{App, Error, TRIES, check};
use crate::authors::Author;
use crate::domain::{Comment, Full, comment};
use crate::tables::{COMMENTS, THREADS};

// === impl App ===

impl App {
    /// Adds a comment to a post. The answer is built from it and its author, or from the refusal,
    /// and is stored with the effect when there is a ticket for it.
    ///
    /// # Errors
    /// [`Error::NotFound`] without such a post, or the store's.
    pub async fn comment(
        &self,
        context: Context,
        post_id: &str,
        author_id: &str,
        content: &str,
        ticket: Option<Arc<Ticket>>,
        answer: impl Fn(Result<(&Comment, &Author), Full>) -> Stored,
    ) -> Result<Stored, Error> {
        let author = self.author(author_id).await?;
        // With a ticket, a second conflict is the ticket's: somebody has used its key.
        let tries_max = if ticket.is_some() { 2 } else { TRIES };
        let mut tries = 0;
        loop {
            let thread = self.store.row(&THREADS, post_id).await?.ok_or(Error::NotFound)?;
            let now = self.clock.now();
            let (unit, answer) = match comment::decide(thread.integer("room")) {
                Ok(()) => {
                    let comment = Comment {
                        id: self.new_id(),
                        post_id: post_id.to_owned(),
                        author_id: author_id.to_owned(),
                        content: content.to_owned(),
                        created_at: now,
                        updated_at: now,
                        version: 1,
                    };
                    (added(&comment), answer(Ok((&comment, &author))))
                }
                Err(full) => (Unit::new(), answer(Err(full))),
            };
            let unit = match &ticket {
                Some(ticket) => ticket.remember(unit, &answer),
                None if unit.is_empty() => return Ok(answer),
                None => unit,
            };
            tries += 1;
            match self.store.commit(unit.with_context(context.clone()).at(now)).await {
                Ok(_) => return Ok(answer),
                Err(CommitError::Conflict(_)) if tries < tries_max => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// One comment of a post.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the post or the comment is not there, or the store's.
    pub async fn comment_of(&self, post_id: &str, id: &str) -> Result<Comment, Error> {
        self.expect_post(post_id).await?;
        let row = self.store.row(&COMMENTS, id).await?;
        let comment = row.as_ref().map(comment_of_row).filter(|it| it.post_id == post_id);
        comment.ok_or(Error::NotFound)
    }

    /// The comments of a post, oldest first, from there on.
    ///
    /// # Errors
    /// [`Error::NotFound`] without such a post, or the store's.
    pub async fn comments(
        &self,
        post_id: &str,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<Comment>, Error> {
        self.expect_post(post_id).await?;
        self.thread(post_id, seek, limit).await
    }

    /// The same, whether the post is there or not.
    pub(super) async fn thread(
        &self,
        post_id: &str,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<Comment>, Error> {
        let select =
            Select::all(&COMMENTS).only("post_id", post_id).ascending("created_at").limit(limit);
        let rows = self.store.select(seek.into().of(select)).await?;
        Ok(rows.iter().map(comment_of_row).collect())
    }

    async fn expect_post(&self, post_id: &str) -> Result<(), Error> {
        self.store.row(&THREADS, post_id).await?.map(|_| ()).ok_or(Error::NotFound)
    }

    /// Changes a comment; if a version is expected, only this one. What is already so is no change.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Stale`], or the store's.
    pub async fn change_comment(
        &self,
        context: Context,
        post_id: &str,
        id: &str,
        content: &str,
        expected: Option<u64>,
    ) -> Result<Comment, Error> {
        let mut tries = 0;
        loop {
            let before = self.comment_of(post_id, id).await?;
            check(expected, before.version)?;
            let Some(after) = before.edited(content, self.clock.now()) else { return Ok(before) };
            let unit =
                unchanged(&before).with_context(context.clone()).put(&COMMENTS, id, cells(&after));
            if self.is_committed(unit, &mut tries).await? {
                return Ok(after);
            }
        }
    }

    /// Deletes a comment; if a version is expected, only this one.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Stale`], or the store's.
    pub async fn remove_comment(
        &self,
        context: Context,
        post_id: &str,
        id: &str,
        expected: Option<u64>,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let comment = self.comment_of(post_id, id).await?;
            check(expected, comment.version)?;
            let unit = unchanged(&comment)
                .with_context(context.clone())
                .delete(&COMMENTS, id)
                .add(&THREADS, post_id, "room", 1);
            if self.is_committed(unit, &mut tries).await? {
                return Ok(());
            }
        }
    }
}

/// The unit of a new comment, while its post is there and has room.
fn added(comment: &Comment) -> Unit {
    Unit::new()
        .expect(has_room(&comment.post_id, 1))
        .add(&THREADS, &*comment.post_id, "room", -1)
        .put(&COMMENTS, &*comment.id, cells(comment))
        .publish(&CommentAdded {
            post_id: comment.post_id.clone(),
            comment_id: comment.id.clone(),
            author_id: comment.author_id.clone(),
        })
}

/// A unit that is only committed while the comment is as it was read, and its post is there.
fn unchanged(comment: &Comment) -> Unit {
    Unit::new()
        .expect(Expect::row_at(&COMMENTS, &*comment.id, comment.version))
        .expect(has_room(&comment.post_id, 0))
}

/// The post is there, and has room for so many comments.
fn has_room(post_id: &str, value: i64) -> Expect {
    Expect::AtLeast { table: &THREADS, key: post_id.to_owned(), column: "room", value }
}

fn comment_of_row(row: &Row) -> Comment {
    Comment {
        id: row.key.clone(),
        post_id: row.text("post_id").to_owned(),
        author_id: row.text("author_id").to_owned(),
        content: row.text("content").to_owned(),
        created_at: Timestamp::from_micros(row.integer("created_at")),
        updated_at: Timestamp::from_micros(row.integer("updated_at")),
        version: row.version,
    }
}

fn cells(comment: &Comment) -> [(&'static str, Value); 5] {
    [
        ("post_id", Value::from(&*comment.post_id)),
        ("author_id", Value::from(&*comment.author_id)),
        ("content", Value::from(&*comment.content)),
        ("created_at", Value::from(comment.created_at)),
        ("updated_at", Value::from(comment.updated_at)),
    ]
}
