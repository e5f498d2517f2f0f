//! A report for people, with the conditions under which it is true, and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::choice::{MATTERS, beside_rest};
use super::rest::POLL;
use super::{Cell, Protocol, Report, Work};
use crate::commands::show::table;

/// The whole report for people.
pub fn text(report: &Report) -> String {
    let names = [
        "work",
        "protocol",
        "ops/s",
        "p50 ms",
        "p99 ms",
        "sent B",
        "received B",
        "surplus B",
        "trips",
        "server ms",
        "notice p50 ms",
        "p99 ms",
    ];
    let figures = table(names, report.cells.iter().map(row));
    let stars = MATTERS.iter().map(|matter| {
        let here = match matter.name {
            "performance" => beside_rest(report).join(", "),
            "caching" if report.conditional => {
                format!("REST: {} polls of the stream were answered 304", report.unchanged)
            }
            _ => "not measurable".to_owned(),
        };
        let [rest, graphql, grpc] = matter.stars.map(stars);
        [matter.name.to_owned(), rest, graphql, grpc, here]
    });
    let stars = table(["", "REST", "GraphQL", "gRPC", "measured here"], stars);
    let reasons: Vec<_> = MATTERS
        .iter()
        .flat_map(|matter| {
            let why = Protocol::ALL.into_iter().zip(matter.why);
            why.map(|(protocol, why)| {
                [matter.name.to_owned(), protocol.title().to_owned(), why.to_owned()]
            })
        })
        .collect();
    let reasons = table(["", "protocol", "why"], reasons);
    format!(
        "{figures}\n\n{}\n\nThe literature's stars, of five, beside what was measured here \
         (REST/GraphQL/gRPC, REST = 1; more is\nbetter, of a delay less):\n\n{stars}\n\n{reasons}",
        conditions(report)
    )
}

/// What has to be known to read the figures.
fn conditions(report: &Report) -> String {
    let version = if report.http2 { "HTTP/2" } else { "HTTP/1.1" };
    let polls = match report.conditional {
        true => "with If-None-Match",
        false => "plain, the answers carry no ETag",
    };
    let sizes = report.sizes;
    format!(
        "user    one user: id, name, e-mail address\n\
         posts   a user, {} posts, {} comments on each, and who wrote them\n\
         list    {} posts, page by page\n\
         stream  an order followed to its end; REST polls every {} ms ({polls}), GraphQL subscribes \
         over SSE, gRPC watches;\n        p50 from the answer to its placing, ops/s and server ms with \
         the whole order\n\
         {} clients in one thread, each with one open connection per protocol: {version} for REST \
         and GraphQL, HTTP/2 for gRPC.\n\
         {:.1} s a cell after warming up, {}. Client and shop share this machine's processors.\n\
         Sent and received are counted at the socket, heads and frames included. Surplus is what of \
         the bodies the work does\nnot need; server is processor time of the shop's process.",
        sizes.posts,
        sizes.comments,
        sizes.list,
        POLL.as_millis(),
        report.clients,
        report.time.as_secs_f64(),
        match report.rounds {
            1 => "in one round".to_owned(),
            rounds => format!("medians of {rounds} rounds in turns"),
        },
    )
}

fn row(cell: &Cell) -> [String; 12] {
    let or_none = |time: Option<String>| time.unwrap_or_else(|| "–".to_owned());
    [
        cell.work.name().to_owned(),
        cell.protocol.title().to_owned(),
        short(cell.per_second),
        millis(cell.p50),
        millis(cell.p99),
        short(cell.sent),
        short(cell.received),
        short(cell.surplus),
        short(cell.round_trips),
        or_none(cell.cpu.map(millis)),
        or_none(cell.notice_p50.map(millis)),
        or_none(cell.notice_p99.map(millis)),
    ]
}

/// Counts whole, small numbers with one digit.
fn short(figure: f64) -> String {
    match figure {
        whole if whole >= 100.0 || whole.fract() == 0.0 => format!("{whole:.0}"),
        small => format!("{small:.1}"),
    }
}

fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}

fn stars(count: u8) -> String {
    let count = usize::from(count.min(5));
    format!("{}{}", "★".repeat(count), "☆".repeat(5 - count))
}

/// The whole report for programs; times in microseconds, what was not measured is null.
pub fn value(report: &Report) -> Value {
    let micros = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e6);
    let cells = report.cells.iter().map(|cell| {
        json!({
            "work": cell.work.name(),
            "protocol": cell.protocol.name(),
            "operations_per_s": cell.per_second,
            "p50_us": micros(Some(cell.p50)),
            "p99_us": micros(Some(cell.p99)),
            "sent_bytes": cell.sent,
            "received_bytes": cell.received,
            "surplus_bytes": cell.surplus,
            "round_trips": cell.round_trips,
            "server_cpu_us": micros(cell.cpu),
            "notice_p50_us": micros(cell.notice_p50),
            "notice_p99_us": micros(cell.notice_p99),
        })
    });
    let choice = MATTERS.iter().map(|matter| {
        let [rest, graphql, grpc] = matter.stars;
        let [why_rest, why_graphql, why_grpc] = matter.why;
        json!({
            "matter": matter.name,
            "stars": { "rest": rest, "graphql": graphql, "grpc": grpc },
            "why": { "rest": why_rest, "graphql": why_graphql, "grpc": why_grpc },
        })
    });
    json!({
        "seconds": report.time.as_secs_f64(),
        "rounds": report.rounds,
        "clients": report.clients,
        "http2_for_all": report.http2,
        "poll_ms": POLL.as_millis() as u64,
        "polls_conditional": report.conditional,
        "polls_answered_304": report.unchanged,
        "posts": report.sizes.posts,
        "comments": report.sizes.comments,
        "list": report.sizes.list,
        "works": Work::ALL.map(Work::name),
        "cells": cells.collect::<Vec<_>>(),
        "choice": choice.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Sizes;

    fn cell(work: Work, protocol: Protocol, per_second: f64) -> Cell {
        let notice = (work == Work::Stream).then(|| Duration::from_secs_f64(1.0 / per_second));
        Cell {
            work,
            protocol,
            per_second,
            p50: Duration::from_micros(1_234),
            p99: Duration::from_millis(20),
            sent: 99.5,
            received: 1_234.5,
            surplus: 0.0,
            round_trips: 22.0,
            cpu: None,
            notice_p50: notice,
            notice_p99: notice,
        }
    }

    fn report() -> Report {
        let speeds = [(Protocol::Rest, 100.0), (Protocol::Graphql, 50.0), (Protocol::Grpc, 400.0)];
        let of = |work| speeds.map(|(protocol, speed)| cell(work, protocol, speed));
        Report {
            cells: Work::ALL.into_iter().flat_map(of).collect(),
            time: Duration::from_secs(3),
            clients: 8,
            rounds: 3,
            http2: false,
            conditional: true,
            unchanged: 57,
            sizes: Sizes::default(),
        }
    }

    #[test]
    fn people_read_every_cell_and_every_reason() {
        let text = text(&report());
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("WORK") && lines[0].contains("SURPLUS B"), "{text}");
        let rest: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!(
            rest,
            ["user", "REST", "100", "1.23", "20.00", "99.5", "1234", "0", "22", "–", "–", "–"]
        );
        let expected = ["user 1.00/0.50/4.00", "delay stream 1.00/2.00/0.25", "57 polls", "★★☆☆☆"];
        for part in expected.into_iter().chain(MATTERS.iter().flat_map(|matter| matter.why)) {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.contains("20 posts, 5 comments") && text.contains("If-None-Match"), "{text}");
    }

    #[test]
    fn programs_read_the_same_with_null_for_what_was_not_measured() {
        let value = value(&report());
        let cells = value["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 12);
        assert_eq!(cells[0]["work"], "user");
        assert_eq!(cells[0]["p50_us"], 1_234.0);
        assert!(cells[0]["server_cpu_us"].is_null() && cells[0]["notice_p50_us"].is_null());
        assert_eq!(cells[11]["protocol"], "grpc");
        assert_eq!(cells[11]["notice_p50_us"], 2_500.0);
        let stars = |at: usize| {
            let stars = &value["choice"][at]["stars"];
            ["rest", "graphql", "grpc"].map(|it| stars[it].as_u64().unwrap())
        };
        assert_eq!(
            [0, 1, 2, 3, 4].map(stars),
            [[3, 3, 5], [5, 4, 2], [2, 4, 5], [5, 2, 1], [5, 5, 2]]
        );
    }
}
