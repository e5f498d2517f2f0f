//! The names of authors, as users has told: this service's own view, so that reading a post asks nobody else.
//!
//! An author may write before the event of their sign-up arrives, for the two travel on different ways; until then they have an id and no
//! name. One who has left has none again.

use shop_contracts::users::{UserChanged, UserCreated, UserDeleted};
use shop_edge::Deps;
use switchboard_handler::{Failure, Group};
use switchboard_store::{Expect, StoreError, Unit, Value};

use crate::App;
use crate::tables::AUTHORS;

/// Somebody who has written something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Their user's id.
    pub id: String,
    /// Their name; `None` before their sign-up has arrived, and after they have left.
    pub name: Option<String>,
}

/// What an event says of somebody's name.
enum News<'a> {
    /// They signed up with this name. Whoever is known already has changed it since, or left.
    First(&'a str),
    /// It is this now.
    Now(&'a str),
    /// They have left.
    Gone,
}

/// The group that follows users.
pub fn group(app: &App, deps: &Deps) -> Group {
    let (first, now, gone) = (app.clone(), app.clone(), app.clone());
    deps.group("content.authors")
        .on(move |event: UserCreated, _| {
            let app = first.clone();
            async move { app.learn(&event.user_id, News::First(&event.name)).await }
        })
        .on(move |event: UserChanged, _| {
            let app = now.clone();
            async move { app.learn(&event.user_id, News::Now(&event.name)).await }
        })
        .on(move |event: UserDeleted, _| {
            let app = gone.clone();
            async move { app.learn(&event.user_id, News::Gone).await }
        })
}

impl App {
    /// Somebody as an author.
    ///
    /// # Errors
    /// The store's.
    pub async fn author(&self, id: &str) -> Result<Author, StoreError> {
        let row = self.store.row(&AUTHORS, id).await?;
        let name = row.map(|row| row.text("name").to_owned()).filter(|name| !name.is_empty());
        Ok(Author { id: id.to_owned(), name })
    }

    async fn learn(&self, user_id: &str, news: News<'_>) -> Result<Unit, Failure> {
        let row = self.store.row(&AUTHORS, user_id).await?;
        let is_known = row.is_some();
        let is_gone = row.as_ref().is_some_and(|row| row.integer("gone") != 0);
        let name = match news {
            _ if is_gone => return Ok(Unit::new()),
            News::First(_) if is_known => return Ok(Unit::new()),
            News::First(name) | News::Now(name) => Some(name),
            News::Gone => None,
        };
        let unchanged = match row {
            Some(row) => Expect::row_at(&AUTHORS, user_id, row.version),
            None => Expect::row_absent(&AUTHORS, user_id),
        };
        let cells = [("name", Value::from(name)), ("gone", Value::from(name.is_none()))];
        Ok(Unit::new().expect(unchanged).put(&AUTHORS, user_id, cells))
    }
}
