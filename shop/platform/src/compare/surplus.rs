//! Over-fetching, defined: the bytes of an answer's body that are left over when only what the work needs is written again in the same form.
//!
//! For JSON that is the body with every field taken out that the work does not read; objects and lists on the way to what it reads stay, and
//! so does what it needs to ask for the next page. For gRPC it is the message with those fields empty. Heads and frames are no part of it:
//! they are in the bytes on the wire.

use serde_json::{Map, Value};

/// What of a JSON value is needed.
#[derive(Debug)]
pub(super) enum Need {
    /// All of it.
    All,
    /// These fields of an object.
    Fields(&'static [(&'static str, Need)]),
    /// This of each item of a list.
    Each(&'static Need),
}

/// The value without what is not needed.
pub(super) fn needed(value: &Value, need: &Need) -> Value {
    match (need, value) {
        (Need::Fields(fields), Value::Object(object)) => {
            let kept = fields.iter().filter_map(|(name, need)| {
                object.get(*name).map(|value| ((*name).to_owned(), needed(value, need)))
            });
            Value::Object(Map::from_iter(kept))
        }
        (Need::Each(need), Value::Array(items)) => {
            items.iter().map(|item| needed(item, need)).collect()
        }
        _ => value.clone(),
    }
}

/// Bytes of this body that are not needed.
///
/// # Errors
/// When the body is not JSON.
pub(super) fn of(body: &[u8], need: &Need) -> serde_json::Result<usize> {
    let value: Value = serde_json::from_slice(body)?;
    Ok(beyond(body, &needed(&value, need)))
}

/// Bytes of this body beyond what is kept of it.
pub(super) fn beyond(body: &[u8], kept: &Value) -> usize {
    body.len().saturating_sub(kept.to_string().len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PAGE: Need = Need::Fields(&[
        ("items", Need::Each(&Need::Fields(&[("id", Need::All), ("by", BY)]))),
        ("next", Need::All),
    ]);
    const BY: Need = Need::Fields(&[("name", Need::All)]);

    #[test]
    fn what_is_needed_stays_with_the_way_there() {
        let page = json!({
            "items": [{ "id": 1, "by": { "id": 7, "name": "Ada" }, "text": "…" }, { "id": 2 }],
            "_links": { "self": "/" },
        });
        let expected = json!({ "items": [{ "id": 1, "by": { "name": "Ada" } }, { "id": 2 }] });
        assert_eq!(needed(&page, &PAGE), expected);
    }

    #[test]
    fn surplus_is_counted_in_bytes_of_the_real_body() {
        let exact = br#"{"items":[{"id":1,"by":{"name":"Ada"}}],"next":"c"}"#;
        assert_eq!(of(exact, &PAGE).unwrap(), 0);
        let more = br#"{"items":[{"id":1,"by":{"name":"Ada"},"x":"y"}],"next":"c"}"#;
        assert_eq!(of(more, &PAGE).unwrap(), br#","x":"y""#.len());
        let spaced = br#"{"items": [],  "next": "c"}"#;
        assert_eq!(of(spaced, &PAGE).unwrap(), 4, "spaces say nothing either");
        assert!(of(b"<html>", &PAGE).is_err());
    }
}
