//! What a choice depends on beside speed: the literature's stars, and why, for what no program can measure.

use super::{Protocol, Report, Work};

/// Something that a choice depends on.
#[derive(Debug)]
pub(super) struct Matter {
    pub(super) name: &'static str,
    /// Of five, for REST, GraphQL and gRPC, as the literature gives them.
    pub(super) stars: [u8; 3],
    /// Why, for REST, GraphQL and gRPC, in the light of this shop.
    pub(super) why: [&'static str; 3],
}

/// Everything that a choice depends on.
pub(super) const MATTERS: [Matter; 5] = [
    Matter {
        name: "performance",
        stars: [3, 3, 5],
        why: [
            "one trip for each resource, and whole resources; a warm connection hides some of it",
            "one trip for a whole picture; the server parses, plans and judges every question",
            "small messages that are not text, many calls on one connection, streams both ways",
        ],
    },
    Matter {
        name: "readability",
        stars: [5, 4, 2],
        why: [
            "curl and a browser's address bar are enough; errors say what to do in plain text",
            "the question has the shape of its answer; the address alone says nothing",
            "bytes that need the descriptions and a tool to be read",
        ],
    },
    Matter {
        name: "typing",
        stars: [2, 4, 5],
        why: [
            "JSON has no types; an OpenAPI document beside it has, and must be kept true",
            "the schema is part of the protocol and can be asked for; scalars are one's own affair",
            "types come first, clients and servers are made of them, and changes are checked",
        ],
    },
    Matter {
        name: "caching",
        stars: [5, 2, 1],
        why: [
            "every resource has an address, ETags and Cache-Control that any proxy understands",
            "one address for all; persisted queries over GET give back some of it",
            "every call is a POST; whoever wants a cache writes one",
        ],
    },
    Matter {
        name: "browsers",
        stars: [5, 5, 2],
        why: [
            "fetch, forms and links, without any library",
            "fetch and JSON; subscriptions as events or WebSockets",
            "only through gRPC-Web, and there only streams of the server",
        ],
    },
];

/// How the protocols stand to REST in each work, as `user 1.0/0.8/1.9`; empty when REST was not
/// measured. Following is judged by how late a change is noticed: there, less is better.
pub(super) fn beside_rest(report: &Report) -> Vec<String> {
    let cell = |work, protocol| {
        report.cells.iter().find(|cell| (cell.work, cell.protocol) == (work, protocol))
    };
    let compared = |work| {
        let rest = cell(work, Protocol::Rest)?;
        let ratios = Protocol::ALL.map(|protocol| {
            let Some(cell) = cell(work, protocol) else { return "–".to_owned() };
            let ratio = match (cell.notice_p50, rest.notice_p50) {
                (Some(ours), Some(rest)) => ours.as_secs_f64() / rest.as_secs_f64(),
                _ => cell.per_second / rest.per_second,
            };
            format!("{ratio:.2}")
        });
        let kind = if work == Work::Stream { "delay " } else { "" };
        Some(format!("{kind}{} {}", work.name(), ratios.join("/")))
    };
    Work::ALL.into_iter().filter_map(compared).collect()
}
