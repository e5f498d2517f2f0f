//! What can be done next: the links of a resource or a collection, each with its address and, for actions, its method.
//!
//! A link without a method is read with GET. An action is there only as long as it is allowed, so a client that follows links never asks
//! for what cannot be.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

/// Links by their relation, in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(Vec<(&'static str, Link)>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Link {
    href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
}

// === impl Links ===

impl Links {
    /// To itself.
    pub fn own(href: impl Into<String>) -> Self {
        Self::default().to("self", href)
    }

    /// One more, to be read.
    #[must_use]
    pub fn to(mut self, rel: &'static str, href: impl Into<String>) -> Self {
        self.0.push((rel, Link { href: href.into(), method: None }));
        self
    }

    /// One more thing that can be done now.
    #[must_use]
    pub fn act(mut self, rel: &'static str, method: &'static str, href: impl Into<String>) -> Self {
        self.0.push((rel, Link { href: href.into(), method: Some(method) }));
        self
    }

    /// The same, if it can be done now.
    #[must_use]
    pub fn act_if(
        self,
        may: bool,
        rel: &'static str,
        method: &'static str,
        href: impl Into<String>,
    ) -> Self {
        if may { self.act(rel, method, href) } else { self }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a value of JSON.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Serialize for Links {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (rel, link) in &self.0 {
            map.serialize_entry(rel, link)?;
        }
        map.end()
    }
}

/// A text as one segment of a path: everything but letters, digits and `-._~` is escaped.
pub fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_segment_cannot_leave_its_place_in_the_path() {
        assert_eq!(segment("a/b c?d#\0ü"), "a%2Fb%20c%3Fd%23%00%C3%BC");
        assert_eq!(segment("0191-a.b_c~"), "0191-a.b_c~");
    }

    #[test]
    fn an_action_has_a_method_and_is_there_when_it_is_allowed() {
        let links = Links::own("/a").to("b", "/b").act_if(true, "c", "POST", "/c");
        let links = links.act_if(false, "d", "POST", "/d");
        let expected = json!({
            "self": { "href": "/a" },
            "b": { "href": "/b" },
            "c": { "href": "/c", "method": "POST" },
        });
        assert_eq!(links.to_json(), expected);
    }
}
