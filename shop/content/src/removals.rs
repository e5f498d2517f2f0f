//! The comments of removed posts, deleted bit by bit: a post may have thousands, and no unit should be that large.
//!
//! The unit that removes a post tells this group so. It deletes some hundred comments, and tells itself again while there are more. No
//! comment comes after them: each needs the row of the post's thread, which went with the post.

use serde::{Deserialize, Serialize};
use shop_edge::Deps;
use switchboard_core::impl_message;
use switchboard_handler::{Failure, Group};
use switchboard_store::{Select, Unit};

use crate::App;
use crate::tables::COMMENTS;

/// The topic on which the service talks to itself.
pub const TOPIC: &str = "content.removals";
/// Comments that one unit deletes, at most.
pub const AT_ONCE: usize = 500;

/// A post was removed: its comments have to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveComments {
    /// The post.
    pub post_id: String,
}

impl_message!(RemoveComments, TOPIC, "content.remove_comments", key = post_id);

/// The group that deletes them.
pub fn group(app: &App, deps: &Deps) -> Group {
    let app = app.clone();
    deps.group("content.removals").on(move |removed: RemoveComments, _| {
        let app = app.clone();
        async move { app.remove_some(removed).await }
    })
}

impl App {
    async fn remove_some(&self, removed: RemoveComments) -> Result<Unit, Failure> {
        let select = Select::all(&COMMENTS).only("post_id", &*removed.post_id).limit(AT_ONCE);
        let rows = self.store.select(select).await?;
        let may_be_more = rows.len() == AT_ONCE;
        let unit = rows.into_iter().fold(Unit::new(), |unit, row| unit.delete(&COMMENTS, row.key));
        Ok(if may_be_more { unit.publish(&removed) } else { unit })
    }
}
