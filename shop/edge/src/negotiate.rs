//! What a caller accepts: media types and codings with their weights (RFC 9110, section 12).
//!
//! Parameters other than `q` are ignored, so `application/json; charset=utf-8` asks for what everybody gets: JSON is UTF-8.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

/// Whether an answer of this media type (without parameters) is acceptable. No `Accept` accepts
/// everything; the most specific range decides.
pub fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    weight(headers, kind) > 0
}

/// The best of these media types for the caller: the first of those that are wanted most. `None`
/// when none is acceptable.
pub fn best<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    let mut best = (0, None);
    for kind in offered {
        let weight = weight(headers, kind);
        if weight > best.0 {
            best = (weight, Some(*kind));
        }
    }
    best.1
}

/// Whether the caller wants a coding by name, or whatever there is.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = 0;
    for (coding, weight) in ranges(headers, &ACCEPT_ENCODING) {
        if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            return weight > 0;
        }
        if coding == "*" {
            any = weight;
        }
    }
    any > 0
}

/// How much a media type is wanted, in thousandths.
fn weight(headers: &HeaderMap, kind: &str) -> u16 {
    let mut lines = headers.get_all(ACCEPT).iter();
    match (lines.next(), lines.next()) {
        (None, _) => return 1_000,
        // What most programs send.
        (Some(only), None) if only == "*/*" || only.is_empty() => return 1_000,
        _ => {}
    }
    let group = kind.split_once('/').map_or(kind, |(group, _)| group);
    let mut found = (0, 0);
    for (range, weight) in ranges(headers, &ACCEPT) {
        let precision = match range.split_once('/') {
            Some(("*", "*")) => 1,
            Some((of, "*")) if of.eq_ignore_ascii_case(group) => 2,
            Some(_) if range.eq_ignore_ascii_case(kind) => 3,
            _ => continue,
        };
        if precision > found.0 {
            found = (precision, weight);
        }
    }
    found.1
}

/// The elements of a header with their weights in thousandths.
fn ranges<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = (&'a str, u16)> + use<'a> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let (name, weight) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(weight.trim()))
        });
        (range, weight.unwrap_or(1_000))
    })
}

/// A weight as thousandths; one that cannot be read counts in full, as if it had not been said.
fn thousandths(text: &str) -> u16 {
    match text.parse::<f32>() {
        // Weights have three digits at most, so nothing is cut off.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1_000.0).round() as u16,
        _ => 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    fn check(accept: &str, expected: bool) {
        assert_eq!(accepts(&headers(ACCEPT, accept), "application/json"), expected, "{accept}");
    }

    #[test]
    fn e5_several_lines_are_one_list() {
        let mut lines = headers(ACCEPT, "text/html");
        lines.append(ACCEPT, http::HeaderValue::from_static("*/*"));
        assert!(accepts(&lines, "application/json"));
        let mut lines = headers(ACCEPT, "*/*");
        lines.append(ACCEPT, http::HeaderValue::from_static("application/json;q=0"));
        assert!(!accepts(&lines, "application/json"));
    }

    #[test]
    fn e5_the_most_specific_range_decides() {
        assert!(accepts(&HeaderMap::new(), "application/json"));
        check("*/*", true);
        check("application/*", true);
        check("Application/JSON; charset=utf-8", true);
        check("text/html, application/json;q=0.1", true);
        check("text/html, */*;q=0.1", true);
        check("text/html", false);
        check("application/json;q=0, */*", false);
        check("application/json;q=0.0", false);
        check("application/*;q=0, application/json", true);
        check("application/xml", false);
    }

    #[test]
    fn e5_the_heaviest_offer_wins_and_the_first_of_equals() {
        let offered = ["application/json", "text/markdown"];
        let best = |accept: &str| best(&headers(ACCEPT, accept), &offered);
        assert_eq!(best("*/*"), Some("application/json"));
        assert_eq!(best("text/*, application/json;q=0.9"), Some("text/markdown"));
        assert_eq!(best("image/png"), None);
    }

    #[test]
    fn e5_gzip_is_used_when_it_is_wanted() {
        let gzip = |value: &str| accepts_gzip(&headers(ACCEPT_ENCODING, value));
        assert!(gzip("gzip") && gzip("br, gzip;q=0.2") && gzip("*"));
        assert!(!gzip("br") && !gzip("gzip;q=0") && !gzip("gzip;q=0, *") && !gzip("identity"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
