//! Posts: writing, changing, removing and listing them. A post, its tags' counts and what is told of it are one unit.

use std::sync::Arc;

use shop_contracts::content::{PostChanged, PostPublished, PostRemoved};
use shop_edge::idempotency::Ticket;
use shop_edge::{Seek, Stored};
use switchboard_core::{Context, Timestamp};
use switchboard_store::{Compare, Expect, Row, Select, Unit, Value};

use super::{After, App, Error, check};
use crate::authors::Author;
use crate::domain::comment::COMMENTS_MAX;
use crate::domain::{Draft, Edit, Post, tags};
use crate::removals::RemoveComments;
use crate::tables::{POSTS, TAGGED, TAGS, THREADS};

/// A tag and how many posts have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The tag.
    pub name: String,
    /// Posts that have it, at least 1.
    pub posts: i64,
}

// === impl App ===

impl App {
    /// Writes a post. The answer is built from it and its author, and is stored with the effect
    /// when there is a ticket for it.
    ///
    /// # Errors
    /// The store's.
    pub async fn publish(
        &self,
        context: Context,
        draft: Draft,
        ticket: Option<Arc<Ticket>>,
        answer: impl Fn(&Post, &Author) -> Stored,
    ) -> Result<Stored, Error> {
        let author = self.author(&draft.author_id).await?;
        let now = self.clock.now();
        let post = Post::written(self.new_id(), draft, now);
        let unit = Unit::new()
            .expect(Expect::row_absent(&POSTS, &*post.id))
            .put(&POSTS, &*post.id, cells(&post))
            .put(&THREADS, &*post.id, [("room", Value::from(COMMENTS_MAX))])
            .publish(&PostPublished {
                post_id: post.id.clone(),
                author_id: post.author_id.clone(),
                title: post.title.clone(),
                tags: post.tags.clone(),
            })
            .and(retagged(&post, &[], &post.tags));
        let answer = answer(&post, &author);
        let unit = match &ticket {
            Some(ticket) => ticket.remember(unit, &answer),
            None => unit,
        };
        self.store.commit(unit.with_context(context).at(now)).await?;
        Ok(answer)
    }

    /// One post.
    ///
    /// # Errors
    /// [`Error::NotFound`], or the store's.
    pub async fn post(&self, id: &str) -> Result<Post, Error> {
        let row = self.store.row(&POSTS, id).await?.ok_or(Error::NotFound)?;
        Ok(post_of(&row))
    }

    /// Posts, newest first, from there on: of one author, or of all.
    ///
    /// # Errors
    /// The store's.
    pub async fn posts(
        &self,
        author_id: Option<&str>,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<Post>, Error> {
        let mut select = Select::all(&POSTS).descending("created_at").limit(limit);
        if let Some(author_id) = author_id {
            select = select.only("author_id", author_id);
        }
        let rows = self.store.select(seek.into().of(select)).await?;
        Ok(rows.iter().map(post_of).collect())
    }

    /// The rows that say which posts have a tag, those of the newest posts first: each with
    /// `post_id` and the `created_at` of its post.
    ///
    /// # Errors
    /// The store's.
    pub async fn tagged(
        &self,
        tag: &str,
        seek: impl Into<Seek>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        let select = Select::all(&TAGGED).only("tag", tag).descending("created_at").limit(limit);
        Ok(self.store.select(seek.into().of(select)).await?)
    }

    /// Tags that some post has, by name, those after `after`.
    ///
    /// # Errors
    /// The store's.
    pub async fn tags(&self, after: After, limit: usize) -> Result<Vec<Tag>, Error> {
        let mut select = Select::all(&TAGS).filter("posts", Compare::AtLeast, 1).limit(limit);
        select.after = after;
        let rows = self.store.select(select).await?.into_iter();
        Ok(rows.map(|row| Tag { posts: row.integer("posts"), name: row.key }).collect())
    }

    /// Changes a post; if a version is expected, only this one. What is already so is no change,
    /// and nobody is told.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Stale`], or the store's.
    pub async fn change_post(
        &self,
        context: Context,
        id: &str,
        edit: Edit,
        expected: Option<u64>,
    ) -> Result<Post, Error> {
        let mut tries = 0;
        loop {
            let before = self.post(id).await?;
            check(expected, before.version)?;
            let now = self.clock.now();
            let Some(after) = before.edited(edit.clone(), now) else { return Ok(before) };
            let unit = Unit::new()
                .with_context(context.clone())
                .at(now)
                .expect(Expect::row_at(&POSTS, id, before.version))
                .put(&POSTS, id, cells(&after))
                .publish(&PostChanged {
                    post_id: after.id.clone(),
                    author_id: after.author_id.clone(),
                    title: after.title.clone(),
                    tags: after.tags.clone(),
                })
                .and(retagged(&after, &before.tags, &after.tags));
            if self.is_committed(unit, &mut tries).await? {
                return Ok(after);
            }
        }
    }

    /// Removes a post; if a version is expected, only this one. Its comments cannot be reached from
    /// then on; their rows are deleted bit by bit, see [`removals`](crate::removals).
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Stale`], or the store's.
    pub async fn remove_post(
        &self,
        context: Context,
        id: &str,
        expected: Option<u64>,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let post = self.post(id).await?;
            check(expected, post.version)?;
            let unit = Unit::new()
                .with_context(context.clone())
                .expect(Expect::row_at(&POSTS, id, post.version))
                .delete(&POSTS, id)
                .delete(&THREADS, id)
                .publish(&PostRemoved { post_id: id.to_owned(), author_id: post.author_id.clone() })
                .publish(&RemoveComments { post_id: id.to_owned() })
                .and(retagged(&post, &post.tags, &[]));
            if self.is_committed(unit, &mut tries).await? {
                return Ok(());
            }
        }
    }
}

/// What follows for tags when those of a post change. Counts only add and subtract, so that posts
/// that share a tag do not conflict.
fn retagged(post: &Post, before: &[String], after: &[String]) -> Unit {
    let place = |tag: &str| format!("{tag}/{}", post.id);
    let unit = tags::without(after, before).fold(Unit::new(), |unit, tag| {
        let cells = [
            ("tag", Value::from(tag)),
            ("post_id", Value::from(&*post.id)),
            ("created_at", Value::from(post.created_at)),
        ];
        unit.add(&TAGS, tag, "posts", 1).put(&TAGGED, place(tag), cells)
    });
    tags::without(before, after)
        .fold(unit, |unit, tag| unit.add(&TAGS, tag, "posts", -1).delete(&TAGGED, place(tag)))
}

pub(super) fn post_of(row: &Row) -> Post {
    Post {
        id: row.key.clone(),
        author_id: row.text("author_id").to_owned(),
        title: row.text("title").to_owned(),
        content: row.text("content").to_owned(),
        tags: row.text("tags").split_whitespace().map(str::to_owned).collect(),
        created_at: Timestamp::from_micros(row.integer("created_at")),
        updated_at: Timestamp::from_micros(row.integer("updated_at")),
        version: row.version,
    }
}

/// Tags hold no space, so a space is between them.
fn cells(post: &Post) -> [(&'static str, Value); 6] {
    [
        ("author_id", Value::from(&*post.author_id)),
        ("title", Value::from(&*post.title)),
        ("content", Value::from(&*post.content)),
        ("tags", Value::from(post.tags.join(" "))),
        ("created_at", Value::from(post.created_at)),
        ("updated_at", Value::from(post.updated_at)),
    ]
}
