//! Collections a page at a time: opaque cursors, signed, and bound to what was filtered.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use serde::Serialize;
use switchboard_store::Value;

use crate::{Auth, Problem};

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
}

/// One page of a collection.
#[derive(Clone, Debug, Serialize)]
pub struct Collection<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
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
        let limit = if limit == 0 { LIMIT_DEFAULT } else { limit.min(LIMIT_MAX) };
        Ok(Self { limit, cursor: (!token.is_empty()).then(|| token.to_owned()) })
    }

    /// Where the page begins: the order value and the key of the last row before it.
    ///
    /// # Errors
    /// 400 when the cursor is not one of ours, or was made for another filter.
    pub fn after(&self, auth: &Auth, filter: &str) -> Result<Option<(Value, String)>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let wrong = || Problem::bad_request("The cursor is not one that this collection gave out.");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
        let (tag, place) = bytes.split_at_checked(TAG).ok_or_else(wrong)?;
        if !is_equal(tag, &auth.seal(&[filter.as_bytes(), b"\0", place])[..TAG]) {
            return Err(wrong());
        }
        let (order, key): (Option<Order>, String) =
            serde_json::from_slice(place).map_err(|_| wrong())?;
        Ok(Some((order.map_or(Value::Null, Order::into_value), key)))
    }

    /// A collection from one row more than the page holds: the surplus says that there is a next
    /// page. `place` tells an item's order value and key.
    pub fn collect<T>(
        &self,
        auth: &Auth,
        filter: &str,
        mut rows: Vec<T>,
        place: impl Fn(&T) -> (Value, String),
    ) -> Collection<T> {
        let mut next = None;
        if rows.len() > self.limit {
            rows.truncate(self.limit);
            next = rows.last().map(|last| {
                let (order, key) = place(last);
                cursor(auth, filter, order, &key)
            });
        }
        Collection { items: rows, next }
    }
}

/// The cursor of one item: what a page gives out for its last one.
pub fn cursor(auth: &Auth, filter: &str, order: Value, key: &str) -> String {
    let place = serde_json::to_vec(&(Order::of(order), key)).unwrap_or_default();
    let tag = auth.seal(&[filter.as_bytes(), b"\0", &place]);
    URL_SAFE_NO_PAD.encode([&tag[..TAG], &place].concat())
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
        let mut page = Self { limit: LIMIT_DEFAULT, cursor: None };
        for pair in parts.uri.query().unwrap_or_default().split('&') {
            match pair.split_once('=') {
                Some(("limit", limit)) => {
                    let limit: usize =
                        limit.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| {
                            Problem::bad_request("`limit` must be a whole number from 1 on.")
                        })?;
                    page.limit = limit.min(LIMIT_MAX);
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

// === impl Collection ===

impl<T> Collection<T> {
    /// The same page of other items.
    pub fn map<U>(self, item: impl FnMut(T) -> U) -> Collection<U> {
        Collection { items: self.items.into_iter().map(item).collect(), next: self.next }
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
        Page { limit, cursor }
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
