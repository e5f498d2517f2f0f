//! Collections a page at a time: opaque cursors, signed, and bound to what was filtered.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use http::request::Parts;
use serde::Serialize;
use switchboard_store::{Select, Value};

use crate::{Auth, Links, Problem};

/// Items a page holds when nobody says how many.
const LIMIT_DEFAULT: usize = 20;
/// Items a page holds at most; more is clamped, not refused.
const LIMIT_MAX: usize = 100;

/// Bytes of a cursor's seal.
const TAG: usize = 16;

/// Which page a caller wants: `?limit=20&cursor=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most this many items.
    pub limit: usize,
    cursor: Option<String>,
    /// The address that was asked for.
    uri: Uri,
}

/// One page of a collection.
#[derive(Clone, Debug, Serialize)]
pub struct Collection<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// This page, its neighbours, and what can be done with the collection.
    #[serde(rename = "_links", skip_serializing_if = "Links::is_empty")]
    pub links: Links,
}

/// Where a page is read from, and in which direction: give it to the query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seek {
    /// The order value and the key of the row beside it.
    pub after: Option<(Value, String)>,
    /// Whether rows before that one are meant, nearest first.
    pub backwards: bool,
}

/// A page whose cursor is sound: it knows where to read, and makes a collection of what was read.
#[derive(Clone, Debug)]
pub struct Turn {
    seek: Seek,
    limit: usize,
    filter: String,
    uri: Uri,
}

// === impl Page ===

impl Page {
    /// As gRPC asks for it: a size of 0 is the default, an empty token the first page.
    ///
    /// # Errors
    /// 400 for a negative size.
    pub fn of(size: i32, token: &str) -> Result<Self, Problem> {
        let limit = usize::try_from(size)
            .map_err(|_| Problem::bad_request("`page_size` must not be negative."))?;
        let limit = if limit == 0 { LIMIT_DEFAULT } else { limit };
        Ok(Self::new(limit, (!token.is_empty()).then(|| token.to_owned())))
    }

    /// A page for callers that do not come by a URL: so many items, from this cursor on.
    pub fn new(limit: usize, cursor: Option<String>) -> Self {
        Self { limit: limit.clamp(1, LIMIT_MAX), cursor, uri: Uri::default() }
    }

    /// Where the page begins: the order value and the key of the last row before it.
    ///
    /// # Errors
    /// 400 when the cursor is not one of ours, was made for another filter, or leads backwards:
    /// whoever reads both ways asks for a [`Turn`].
    pub fn after(&self, auth: &Auth, filter: &str) -> Result<Option<(Value, String)>, Problem> {
        let seek = self.seek(auth, filter)?;
        if seek.backwards { Err(wrong()) } else { Ok(seek.after) }
    }

    /// The page in both directions, bound to what was filtered.
    ///
    /// # Errors
    /// 400 when the cursor is not one of ours, or was made for another filter.
    pub fn turn(&self, auth: &Auth, filter: impl Into<String>) -> Result<Turn, Problem> {
        let filter = filter.into();
        let seek = self.seek(auth, &filter)?;
        Ok(Turn { seek, limit: self.limit, filter, uri: self.uri.clone() })
    }

    fn seek(&self, auth: &Auth, filter: &str) -> Result<Seek, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(Seek::default()) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
        let (tag, place) = bytes.split_at_checked(TAG).ok_or_else(wrong)?;
        if !is_equal(tag, &auth.seal(&[filter.as_bytes(), b"\0", place])[..TAG]) {
            return Err(wrong());
        }
        let forwards: Result<(Option<Order>, String), _> = serde_json::from_slice(place);
        let (order, key, backwards) = match forwards {
            Ok((order, key)) => (order, key, false),
            Err(_) => serde_json::from_slice(place).map_err(|_| wrong())?,
        };
        let after = Some((order.map_or(Value::Null, Order::into_value), key));
        Ok(Seek { after, backwards })
    }

    /// A collection from one row more than the page holds: the surplus says that there is a next
    /// page. `place` tells an item's order value and key.
    pub fn collect<T>(
        &self,
        auth: &Auth,
        filter: &str,
        rows: Vec<T>,
        place: impl Fn(&T) -> (Value, String),
    ) -> Collection<T> {
        let seek = Seek::default();
        let turn =
            Turn { seek, limit: self.limit, filter: filter.to_owned(), uri: self.uri.clone() };
        turn.collect(auth, rows, place)
    }
}

// === impl Turn ===

impl Turn {
    /// Where to read. One row more than the page holds says whether it goes on.
    pub fn seek(&self) -> Seek {
        self.seek.clone()
    }

    /// Rows to read: one more than the page holds.
    pub fn rows(&self) -> usize {
        self.limit + 1
    }

    /// A collection of the rows that [`Turn::seek`] found, in the order in which they were found.
    /// `place` tells an item's order value and key.
    pub fn collect<T>(
        &self,
        auth: &Auth,
        mut rows: Vec<T>,
        place: impl Fn(&T) -> (Value, String),
    ) -> Collection<T> {
        let goes_on = rows.len() > self.limit;
        rows.truncate(self.limit);
        let backwards = self.seek.backwards;
        if backwards {
            rows.reverse();
        }
        let came_from = self.seek.after.is_some();
        // Who came from somewhere can go back there.
        let (has_next, has_prev) =
            if backwards { (came_from, goes_on) } else { (goes_on, came_from) };
        let cursor = |row: Option<&T>, backwards: bool| {
            let (order, key) = place(row?);
            Some(self.cursor(auth, Order::of(order), &key, backwards))
        };
        let next = if has_next { cursor(rows.last(), false) } else { None };
        let prev = if has_prev { cursor(rows.first(), true) } else { None };
        let links = self.links(next.as_deref(), prev.as_deref());
        Collection { items: rows, next, links }
    }

    fn cursor(&self, auth: &Auth, order: Option<Order>, key: &str, backwards: bool) -> String {
        let place = match backwards {
            true => serde_json::to_vec(&(order, key, true)),
            false => serde_json::to_vec(&(order, key)),
        };
        sealed(auth, &self.filter, &place.unwrap_or_default())
    }

    fn links(&self, next: Option<&str>, prev: Option<&str>) -> Links {
        let path = self.uri.path();
        let kept: String = self
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="))
            .flat_map(|pair| ["&", pair])
            .collect();
        let at = |cursor: &str| format!("{path}?cursor={cursor}{kept}");
        let first = match kept.strip_prefix('&') {
            Some(kept) => format!("{path}?{kept}"),
            None => path.to_owned(),
        };
        let own = self.uri.path_and_query().map_or(path, |target| target.as_str());
        let links = Links::own(own).to("first", first);
        let links = next.map_or(links.clone(), |next| links.to("next", at(next)));
        prev.map_or(links.clone(), |prev| links.to("prev", at(prev)))
    }
}

// === impl Seek ===

impl Seek {
    /// The same query from here on. A query that reads backwards answers its rows in the opposite
    /// order, and must have a column that it is ordered by.
    pub fn of(self, mut select: Select) -> Select {
        select.after = self.after;
        if self.backwards {
            select.order = select.order.map(|(column, descends)| (column, !descends));
        }
        select
    }
}

impl From<Option<(Value, String)>> for Seek {
    fn from(after: Option<(Value, String)>) -> Self {
        Self { after, backwards: false }
    }
}

fn wrong() -> Problem {
    let detail = "The cursor is not one that this collection gave out.";
    Problem::bad_parameter("cursor", "unknown", detail)
}

/// The cursor of one item: what a page gives out for its last one.
pub fn cursor(auth: &Auth, filter: &str, order: Value, key: &str) -> String {
    let place = serde_json::to_vec(&(Order::of(order), key)).unwrap_or_default();
    sealed(auth, filter, &place)
}

fn sealed(auth: &Auth, filter: &str, place: &[u8]) -> String {
    let tag = auth.seal(&[filter.as_bytes(), b"\0", place]);
    URL_SAFE_NO_PAD.encode([&tag[..TAG], place].concat())
}

/// An order value as a cursor holds it.
#[derive(Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Order {
    Integer(i64),
    Text(String),
}

impl Order {
    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(Self::Integer(number)),
            Value::Text(text) => Some(Self::Text(text)),
            Value::Null | Value::Blob(_) => None,
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Integer(number) => number.into(),
            Self::Text(text) => text.into(),
        }
    }
}

/// In a time that says nothing about where they differ.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut page = Self { limit: LIMIT_DEFAULT, cursor: None, uri: parts.uri.clone() };
        for pair in parts.uri.query().unwrap_or_default().split('&') {
            match pair.split_once('=') {
                Some(("limit", limit)) => {
                    page.limit = limit_of(limit)?;
                }
                Some(("cursor", cursor)) if !cursor.is_empty() => {
                    page.cursor = Some(cursor.to_owned());
                }
                _ => {}
            }
        }
        Ok(page)
    }
}

/// A limit beyond the largest is clamped, however many digits it has.
fn limit_of(text: &str) -> Result<usize, Problem> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse().unwrap_or(usize::MAX) {
        limit if is_number && limit > 0 => Ok(limit.min(LIMIT_MAX)),
        _ => {
            let detail = "`limit` must be a whole number from 1 on.";
            Err(Problem::bad_parameter("limit", "out_of_range", detail))
        }
    }
}

// === impl Collection ===

impl<T> Collection<T> {
    /// All items of a collection that is short enough for one page, at this address.
    pub fn whole(items: Vec<T>, href: &str) -> Self {
        Self { items, next: None, links: Links::own(href) }
    }

    /// The same page of these items instead.
    pub fn with_items<U>(self, items: Vec<U>) -> Collection<U> {
        Collection { items, next: self.next, links: self.links }
    }

    /// The same page of other items.
    pub fn map<U>(self, item: impl FnMut(T) -> U) -> Collection<U> {
        let Self { items, next, links } = self;
        Collection { items: items.into_iter().map(item).collect(), next, links }
    }

    /// The same, with something else that can be read.
    #[must_use]
    pub fn to(mut self, rel: &'static str, href: impl Into<String>) -> Self {
        self.links = self.links.to(rel, href);
        self
    }

    /// The same, with something that can be done with the collection.
    #[must_use]
    pub fn act(mut self, rel: &'static str, method: &'static str, href: &str) -> Self {
        self.links = self.links.act(rel, method, href);
        self
    }
}

impl<T: Serialize> IntoResponse for Collection<T> {
    fn into_response(self) -> Response {
        axum::Json(self).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use switchboard_core::ManualClock;

    use super::*;

    fn auth() -> Auth {
        Auth::ephemeral(Arc::new(ManualClock::default())).unwrap()
    }

    fn page(limit: usize, cursor: Option<String>) -> Page {
        Page { limit, cursor, uri: "/things?limit=3&of=ann".parse().unwrap() }
    }

    /// What a store would find among these numbers.
    fn found(rows: &[i64], seek: &Seek, limit: usize) -> Vec<i64> {
        let last = seek.after.as_ref().map(|(value, _)| match value {
            Value::Integer(last) => *last,
            other => panic!("{other:?}"),
        });
        let lies = |row: &&i64| match (last, seek.backwards) {
            (Some(last), true) => **row < last,
            (Some(last), false) => **row > last,
            (None, _) => true,
        };
        let rows: Vec<_> = rows.iter().filter(lies).copied().collect();
        match seek.backwards {
            true => rows.into_iter().rev().take(limit).collect(),
            false => rows.into_iter().take(limit).collect(),
        }
    }

    #[test]
    fn e8_one_pages_there_and_back_again_and_sees_the_same() {
        let (auth, rows) = (auth(), (1..=8_i64).collect::<Vec<_>>());
        let turned = |cursor: Option<String>| {
            let turn = page(3, cursor).turn(&auth, "all").unwrap();
            let read = found(&rows, &turn.seek(), turn.rows());
            turn.collect(&auth, read, |row| ((*row).into(), row.to_string()))
        };
        let link = |links: &Links, rel: &str| {
            let href = links.to_json()[rel]["href"].as_str()?.to_owned();
            assert!(href.starts_with("/things?cursor=") && href.ends_with("&limit=3&of=ann"));
            Some(href.split(['=', '&']).nth(1).unwrap().to_owned())
        };
        let (mut there, mut cursor) = (Vec::new(), None);
        loop {
            let got = turned(cursor);
            assert_eq!(got.next, link(&got.links, "next"), "both say the same");
            assert_eq!(link(&got.links, "prev").is_some(), !there.is_empty());
            cursor = link(&got.links, "next");
            there.push(got);
            if cursor.is_none() {
                break;
            }
        }
        let mut cursor = link(&there.pop().unwrap().links, "prev");
        while let Some(expected) = there.pop() {
            let got = turned(cursor);
            assert_eq!(got.items, expected.items);
            assert_eq!(got.next, expected.next);
            cursor = link(&got.links, "prev");
        }
        assert_eq!(cursor, None, "the first page has none before it");
    }

    #[test]
    fn e8_a_page_links_to_itself_and_to_the_first() {
        let auth = auth();
        let got = page(3, None).collect(&auth, "all", vec![1_i64], |_| unreachable!());
        let links = got.links.to_json();
        assert_eq!(links["self"]["href"], "/things?limit=3&of=ann");
        assert_eq!(links["first"], links["self"]);
        assert_eq!(links.as_object().unwrap().len(), 2);
    }

    #[test]
    fn e8_a_limit_is_clamped_and_a_negative_one_refused() {
        for (text, expected) in [("1", Some(1)), ("1000", Some(LIMIT_MAX))] {
            assert_eq!(limit_of(text).ok(), expected);
        }
        assert_eq!(limit_of(&"9".repeat(40)).ok(), Some(LIMIT_MAX));
        for text in ["", "0", "-1", "x", "1.5", "+1"] {
            assert_eq!(limit_of(text).unwrap_err().status(), 400, "{text}");
        }
    }

    #[test]
    fn e8_pages_follow_one_another_and_next_is_absent_at_the_end() {
        let (auth, rows) = (auth(), (0..7_i64).collect::<Vec<_>>());
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = page(3, cursor);
            let after = page.after(&auth, "all").unwrap();
            let begin = after.map_or(0, |(value, _)| match value {
                Value::Integer(last) => usize::try_from(last).unwrap() + 1,
                other => panic!("{other:?}"),
            });
            let read = rows[begin..rows.len().min(begin + page.limit + 1)].to_vec();
            let got = page.collect(&auth, "all", read, |row| ((*row).into(), row.to_string()));
            assert!(got.items.len() <= 3);
            seen.extend(got.items);
            match got.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, rows);
    }

    #[test]
    fn e8_a_cursor_is_bound_to_its_filter_and_to_its_key() {
        let auth = auth();
        let whole = page(1, None);
        let next =
            whole.collect(&auth, "of ann", vec!["a", "b"], |row| (Value::Null, (*row).into()));
        let page = page(1, next.next);
        assert_eq!(page.after(&auth, "of ann").unwrap(), Some((Value::Null, "a".to_owned())));
        assert_eq!(page.after(&auth, "of bob").unwrap_err().status(), 400);
        assert_eq!(page.after(&tests::auth(), "of ann").unwrap_err().status(), 400);
    }

    proptest! {
        #[test]
        fn e8_what_was_not_given_out_is_refused(cursor in "[A-Za-z0-9_-]{1,80}") {
            let page = page(20, Some(cursor));
            prop_assert_eq!(page.after(&auth(), "all").unwrap_err().status(), 400);
        }
    }
}
