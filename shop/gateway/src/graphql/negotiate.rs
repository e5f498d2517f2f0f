//! Which form of answer a caller wants: the header `Accept`, with its weights and wildcards.

use http::HeaderMap;
use http::header::ACCEPT;

use super::options::HttpProfile;

/// Bytes of the header that are read: more than any browser sends.
const ACCEPT_MAX: usize = 4_096;
/// Kinds in one header that are read.
const RANGES_MAX: usize = 64;

/// A form of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status says how it went.
    Response,
    /// `application/json`: as it was before that form existed.
    Json,
    /// `text/event-stream`: results as they come.
    Events,
    /// `text/html`: the explorer.
    Page,
}

/// What is offered, the better first.
const OFFERED: [Media; 4] = [Media::Response, Media::Json, Media::Events, Media::Page];

// === impl Media ===

impl Media {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Response => "application/graphql-response+json",
            Self::Json => "application/json",
            Self::Events => "text/event-stream",
            Self::Page => "text/html",
        }
    }

    /// Whether somebody must name it to get it: not everybody who takes anything wants a stream.
    const fn is_special(self) -> bool {
        matches!(self, Self::Events | Self::Page)
    }
}

/// The form to answer in; `None` when none of ours is accepted.
///
/// A page is offered only when `has_page`.
pub(super) fn negotiate(
    headers: &HeaderMap,
    profile: HttpProfile,
    has_page: bool,
) -> Option<Media> {
    // What the audit wants for callers that do not say: the older form.
    let unsaid = match profile {
        HttpProfile::Audit2025 => Media::Json,
        HttpProfile::Draft2026 => Media::Response,
    };
    let mut ranges: Vec<Range<'_>> = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let text = value.to_str().ok().filter(|text| text.len() <= ACCEPT_MAX)?;
        ranges.extend(text.split(',').filter_map(Range::parse));
    }
    if ranges.is_empty() {
        return Some(unsaid);
    }
    ranges.truncate(RANGES_MAX);
    let mut best: Option<(u16, u8, Media)> = None;
    for media in OFFERED {
        if media == Media::Page && !has_page {
            continue;
        }
        let matching = ranges.iter().filter_map(|range| Some((range.covers(media)?, range.weight)));
        // The narrowest range that names it decides its weight.
        let Some((narrow, weight)) = matching.max_by_key(|(narrow, _)| *narrow) else { continue };
        if weight == 0 || (media.is_special() && narrow < NAMED) {
            continue;
        }
        if best.is_none_or(|(other, also, _)| (weight, narrow) > (other, also)) {
            best = Some((weight, narrow, media));
        }
    }
    match best? {
        // By a wildcard any of the two would do.
        (_, narrow, Media::Response | Media::Json) if narrow < NAMED => {
            let is_refused =
                ranges.iter().any(|range| range.covers(unsaid) == Some(NAMED) && range.weight == 0);
            Some(if is_refused { best?.2 } else { unsaid })
        }
        (_, _, media) => Some(media),
    }
}

/// How narrow a range is that names a form exactly.
const NAMED: u8 = 2;

/// One kind of the header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// In thousandths.
    weight: u16,
}

// === impl Range ===

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';');
        let (kind, subtype) = parts.next()?.trim().split_once('/')?;
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        let weight: f32 = weight.map_or(Some(1.0), |weight| weight.parse().ok())?;
        // A weight lies between 0 and 1, so its thousandths fit.
        let weight = (weight.clamp(0.0, 1.0) * 1_000.0) as u16;
        Some(Self { kind, subtype, weight })
    }

    /// How narrowly it covers a form.
    fn covers(&self, media: Media) -> Option<u8> {
        let (kind, subtype) = media.name().split_once('/')?;
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
            (own, sub) if own.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => {
                Some(NAMED)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Option<Media>) {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(ACCEPT, accept.parse().unwrap());
        }
        assert_eq!(negotiate(&headers, HttpProfile::Audit2025, true), expected, "{accept}");
    }

    #[test]
    fn g1_the_form_is_the_one_that_is_asked_for() {
        use Media::{Events, Json, Page, Response};
        check("", Some(Json));
        check("*/*", Some(Json));
        check("application/*", Some(Json));
        check("application/json;q=0, */*", Some(Response));
        check("application/json", Some(Json));
        check("Application/GraphQL-Response+JSON; charset=utf-8", Some(Response));
        check("application/graphql-response+json, application/json;q=0.9", Some(Response));
        check("application/json, application/graphql-response+json", Some(Response));
        check("application/json;q=0.9, application/graphql-response+json;q=0.5", Some(Json));
        check("text/event-stream", Some(Events));
        check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Page));
        check("text/xml", None);
        check("application/json;q=0", None);
        check("text/*", None);
    }

    #[test]
    fn g1_the_draft_prefers_the_newer_form_and_no_page_is_no_page() {
        let mut headers = HeaderMap::new();
        assert_eq!(negotiate(&headers, HttpProfile::Draft2026, false), Some(Media::Response));
        headers.insert(ACCEPT, "text/html, */*;q=0.1".parse().unwrap());
        assert_eq!(negotiate(&headers, HttpProfile::Audit2025, false), Some(Media::Json));
    }
}
