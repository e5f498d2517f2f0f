//! Which binding takes which message: decisions without state, the same on every embedded broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchboard_core::Name;

/// Whether a topic exchange's pattern matches a routing key. Both are words with dots between
/// them, empty words included, and the empty text has no words; `*` is exactly one word, `#` any
/// number of them.
///
/// ```
/// use switchboard_message::exchange::topic_matches;
///
/// assert!(topic_matches("eu.*.urgent", "eu.mail.urgent"));
/// assert!(topic_matches("eu.#", "eu") && topic_matches("#.urgent", "eu.mail.urgent"));
/// assert!(!topic_matches("eu.*", "eu") && !topic_matches("eu.*", "eu.mail.urgent"));
/// ```
pub fn topic_matches(pattern: &str, routing_key: &str) -> bool {
    let (pattern, key) = (words(pattern), words(routing_key));
    // The places in the pattern that may be reached after the words so far: no recursion, so that
    // a pattern of many `#` costs words times words and not an exponential of them.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    pass_hashes(&pattern, &mut reached);
    for word in key {
        let mut next = vec![false; pattern.len() + 1];
        for (at, expected) in pattern.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match *expected {
                "#" => next[at] = true,
                "*" => next[at + 1] = true,
                text => next[at + 1] |= text == word,
            }
        }
        pass_hashes(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

/// Whether a binding by headers takes a message with these headers.
pub fn headers_match(
    all: bool,
    values: &BTreeMap<Name, Option<Arc<str>>>,
    headers: &BTreeMap<Name, Arc<str>>,
) -> bool {
    let holds = |(name, expected): (&Name, &Option<Arc<str>>)| match (headers.get(name), expected) {
        (Some(value), Some(expected)) => value == expected,
        (found, None) => found.is_some(),
        (None, Some(_)) => false,
    };
    let mut looked_at = values.iter().filter(|(name, _)| !name.starts_with("x-"));
    if all { looked_at.all(holds) } else { looked_at.any(holds) }
}

fn words(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('.').collect() }
}

/// A `#` may stand for nothing: what is behind it is reached with it.
fn pass_hashes(pattern: &[&str], reached: &mut [bool]) {
    for (at, word) in pattern.iter().enumerate() {
        if reached[at] && *word == "#" {
            reached[at + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_words() {
        for (pattern, key, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("*", "", false),
            ("#", "", true),
            ("", "", true),
            ("", "a", false),
            ("*", "a", true),
            ("*", "a.b", false),
            ("a.*.c", "a..c", true),
            ("a.#.c", "a.c", true),
            ("a.#.c", "a.b.b.c", true),
            ("a.#.c", "a.b", false),
            ("#.#", "", true),
            ("#.*", "", false),
            ("#.*", "a", true),
            ("*.#.*", "a", false),
            ("*.#.*", "a.b", true),
            ("#.b.#", "a.b.c.b", true),
            ("a.#", "b", false),
            ("a#", "a", false),
        ] {
            assert_eq!(topic_matches(pattern, key), expected, "`{pattern}` on `{key}`");
        }
    }

    #[test]
    fn a_pattern_of_many_hashes_is_cheap() {
        let pattern = ["#"; 60].join(".a.");
        let key = ["a"; 60].join(".");
        assert!(topic_matches(&pattern, &format!("{key}.a")));
        assert!(!topic_matches(&pattern, "b"));
    }

    #[test]
    fn headers_match_all_or_any() {
        let headers: BTreeMap<Name, Arc<str>> =
            [("color".into(), "blue".into()), ("x-size".into(), "8".into())].into();
        let of = |list: &[(&str, Option<&str>)]| -> BTreeMap<Name, Option<Arc<str>>> {
            list.iter().map(|(name, value)| ((*name).into(), value.map(Arc::from))).collect()
        };
        for (values, all, any) in [
            (of(&[]), true, false),
            (of(&[("color", Some("blue"))]), true, true),
            (of(&[("color", None)]), true, true),
            (of(&[("color", Some("red"))]), false, false),
            (of(&[("shape", None)]), false, false),
            (of(&[("color", Some("blue")), ("shape", None)]), false, true),
            (of(&[("x-size", Some("9"))]), true, false),
            (of(&[("color", Some("blue")), ("x-size", Some("9"))]), true, true),
        ] {
            assert_eq!(headers_match(true, &values, &headers), all, "all of {values:?}");
            assert_eq!(headers_match(false, &values, &headers), any, "any of {values:?}");
        }
    }
}
