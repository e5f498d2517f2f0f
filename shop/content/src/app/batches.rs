//! Reading for many at once: what a query that joins users, posts and comments asks for, with one call instead of one an object.
//!
//! A [`Select`](switchboard_store::Select) has no "any of", so a batch is one read for each key, a few at a time. The keys are made
//! unique first; how many there may be, and how many rows each may bring, is bounded.

use std::collections::{BTreeSet, HashMap};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::posts::post_of;
use super::{App, Error};
use crate::authors::Author;
use crate::domain::{Comment, Post};
use crate::tables::POSTS;

/// Keys of one batch, at most.
pub const BATCH_MAX: usize = 1_000;
/// Posts of one author, or comments of one post, that a page of a batch holds at most.
pub const EACH_MAX: usize = 100;
/// Reads of one batch that run at the same time.
const AT_ONCE: usize = 16;

// === impl App ===

impl App {
    /// Posts by their ids; those that are not there are left out.
    ///
    /// # Errors
    /// [`Error::TooMany`], or the store's.
    pub async fn posts_by_ids(&self, ids: &[String]) -> Result<HashMap<String, Post>, Error> {
        let reads = stream::iter(distinct(ids)?).map(|id| {
            let store = self.store.clone();
            async move { store.row(&POSTS, &id).await.map(|row| row.map(|row| (id, post_of(&row)))) }
        });
        let found: Vec<_> = reads.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The newest posts of each author, newest first, at most `each` of one: a page, and one
    /// more that tells whether there is a next. Every
    /// author that was asked for is in the answer.
    ///
    /// # Errors
    /// [`Error::TooMany`], or the store's.
    pub async fn posts_of_authors(
        &self,
        authors: &[String],
        each: usize,
    ) -> Result<HashMap<String, Vec<Post>>, Error> {
        let reads = stream::iter(distinct(authors)?).map(|author| {
            let app = self.clone();
            async move {
                let posts = app.posts(Some(&author), None, each.min(EACH_MAX + 1)).await?;
                Ok::<_, Error>((author, posts))
            }
        });
        reads.buffered(AT_ONCE).try_collect().await
    }

    /// The first comments of each post, oldest first, at most `each` of one: a page, and
    /// one more that tells whether there is a next. Every
    /// post that was asked for is in the answer; ask for posts that are there.
    ///
    /// # Errors
    /// [`Error::TooMany`], or the store's.
    pub async fn comments_of_posts(
        &self,
        posts: &[String],
        each: usize,
    ) -> Result<HashMap<String, Vec<Comment>>, Error> {
        let reads = stream::iter(distinct(posts)?).map(|post| {
            let app = self.clone();
            async move {
                let comments = app.thread(&post, None, each.min(EACH_MAX + 1)).await?;
                Ok::<_, Error>((post, comments))
            }
        });
        reads.buffered(AT_ONCE).try_collect().await
    }

    /// Authors by their ids. Each that was asked for is in the answer, without a name when it is
    /// not known.
    ///
    /// # Errors
    /// [`Error::TooMany`], or the store's.
    pub async fn authors(&self, ids: &[String]) -> Result<HashMap<String, Author>, Error> {
        let reads = stream::iter(distinct(ids)?).map(|id| {
            let app = self.clone();
            async move { Ok::<_, Error>((id.clone(), app.author(&id).await?)) }
        });
        reads.buffered(AT_ONCE).try_collect().await
    }
}

/// Each key once.
fn distinct(keys: &[String]) -> Result<BTreeSet<String>, Error> {
    let distinct: BTreeSet<_> = keys.iter().cloned().collect();
    if distinct.len() > BATCH_MAX { Err(Error::TooMany(distinct.len())) } else { Ok(distinct) }
}
