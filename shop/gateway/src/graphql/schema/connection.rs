//! Pages in the form that Relay knows, with the cursors of the REST interface.
//!
//! REST gives out a cursor for the last item of a page; here every item has one. They are made by the same code with the same key, bound to
//! the same filter, so a cursor of one interface goes on in the other.

use async_graphql::OutputType;
use async_graphql::connection::{Connection, Edge};
use prost_types::Timestamp as Wire;
use shop_contracts::rpc::from_timestamp;
use shop_edge::page;
use switchboard_store::Value as Order;

use super::super::calls::{Answer, Calls};
use super::{PAGE, bounded};

/// A page of items.
pub(super) type Page<T> = Connection<String, T>;

/// Which page a field wants.
pub(super) struct Wanted {
    pub(super) size: i32,
    pub(super) token: String,
}

/// An item's place in its collection: what it is ordered by, and its key.
pub(super) struct Place {
    pub(super) order: Order,
    pub(super) key: String,
}

// === impl Wanted ===

impl Wanted {
    /// From a field's arguments.
    pub(super) fn of(first: Option<i32>, after: Option<String>) -> Answer<Self> {
        let size = bounded(first.unwrap_or(PAGE), "first")?;
        Ok(Self { size, token: after.unwrap_or_default() })
    }

    /// Whether it is the first page.
    pub(super) fn is_first(&self) -> bool {
        self.token.is_empty()
    }
}

// === impl Place ===

impl Place {
    /// By a moment.
    pub(super) fn at(time: Option<&Wire>, key: &str) -> Self {
        let time = time.and_then(from_timestamp).unwrap_or_default();
        Self { order: time.into(), key: key.to_owned() }
    }

    /// By the key alone.
    pub(super) fn by_key(key: &str) -> Self {
        Self { order: Order::Null, key: key.to_owned() }
    }
}

/// A page of what a service has answered.
pub(super) fn page_of<W, T: OutputType>(
    calls: &Calls,
    filter: &str,
    wanted: &Wanted,
    items: Vec<W>,
    next: &str,
    place: impl Fn(&W) -> Place,
    node: impl Fn(W) -> T,
) -> Page<T> {
    let mut page = Page::new(!wanted.is_first(), !next.is_empty());
    // A page of none is asked for to learn whether there are any; a service has no such page.
    let most = usize::try_from(wanted.size).unwrap_or(0);
    page.has_next_page |= items.len() > most;
    page.edges.extend(items.into_iter().take(most).map(|item| {
        let Place { order, key } = place(&item);
        Edge::new(page::cursor(&calls.auth, filter, order, &key), node(item))
    }));
    // The last one's is the service's own word.
    if let Some(last) = page.edges.last_mut().filter(|_| !next.is_empty()) {
        next.clone_into(&mut last.cursor);
    }
    page
}
