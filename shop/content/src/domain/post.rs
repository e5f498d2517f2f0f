//! A post: what it holds, within which bounds, and what becomes of it when it is edited.

use std::ops::RangeInclusive;

use switchboard_core::Timestamp;

/// Characters of a title.
pub const TITLE: RangeInclusive<usize> = 1..=200;
/// Characters of what a post says.
pub const CONTENT: RangeInclusive<usize> = 1..=20_000;

/// Something that somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Its id.
    pub id: String,
    /// The user who wrote it.
    pub author_id: String,
    /// Its title.
    pub title: String,
    /// What it says.
    pub content: String,
    /// Its tags, each once, as they were given.
    pub tags: Vec<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// How many times it was changed, from 1: what an optimistic change expects.
    pub version: u64,
}

/// What somebody wants to post. Its parts are within their bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The user who writes it.
    pub author_id: String,
    /// Its title.
    pub title: String,
    /// What it says.
    pub content: String,
    /// Its tags: normal, each once.
    pub tags: Vec<String>,
}

/// What of a post is to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// A new title.
    pub title: Option<String>,
    /// New content.
    pub content: Option<String>,
    /// Other tags: normal, each once.
    pub tags: Option<Vec<String>>,
}

// === impl Post ===

impl Post {
    /// A draft as it becomes a post.
    pub fn written(id: String, draft: Draft, now: Timestamp) -> Self {
        let Draft { author_id, title, content, tags } = draft;
        Self { id, author_id, title, content, tags, created_at: now, updated_at: now, version: 1 }
    }

    /// The post after an edit; `None` when it says nothing new.
    pub fn edited(&self, edit: Edit, now: Timestamp) -> Option<Self> {
        let after = Self {
            title: edit.title.unwrap_or_else(|| self.title.clone()),
            content: edit.content.unwrap_or_else(|| self.content.clone()),
            tags: edit.tags.unwrap_or_else(|| self.tags.clone()),
            ..self.clone()
        };
        (after != *self).then(|| Self { updated_at: now, version: self.version + 1, ..after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Post {
        let draft = Draft {
            author_id: "ann".to_owned(),
            title: "One".to_owned(),
            content: "text".to_owned(),
            tags: vec!["a".to_owned()],
        };
        Post::written("p".to_owned(), draft, Timestamp::from_micros(1))
    }

    #[test]
    fn an_edit_changes_what_it_names_and_when_and_the_version() {
        let later = Timestamp::from_micros(2);
        let edit = Edit { title: Some("Two".to_owned()), ..Edit::default() };
        let expected = Post { title: "Two".to_owned(), updated_at: later, version: 2, ..post() };
        assert_eq!(post().edited(edit, later), Some(expected));
        let bare = post().edited(Edit { tags: Some(Vec::new()), ..Edit::default() }, later);
        assert_eq!(bare.unwrap().tags, [""; 0]);
    }

    #[test]
    fn what_is_already_so_is_no_edit() {
        let same = Edit {
            title: Some("One".to_owned()),
            content: Some("text".to_owned()),
            tags: Some(vec!["a".to_owned()]),
        };
        for edit in [same, Edit::default()] {
            assert_eq!(post().edited(edit, Timestamp::from_micros(2)), None);
        }
    }
}
