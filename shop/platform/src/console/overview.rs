//! The first page: is the shop well, what flows where, and what every stage of the flow holds.

use axum::extract::State;
use maud::{Markup, html};
use switchboard_core::Timestamp;

use super::events::Fragments;
use super::layout::{self, Here, Page};
use super::sample::Sample;
use super::session::SignedIn;
use super::words::{Tone, age, bytes, chip, count, counted, rate};
use super::{Console, Shop, map};

pub(super) async fn page(State(console): State<Console>, who: SignedIn) -> Markup {
    let sample = Sample::take(&console.shop).await;
    let pieces = fragments(&console.shop, &sample, None);
    let piece = |id: &str| pieces.iter().find(|(known, _)| *known == id).map(|(_, piece)| piece);
    layout::page(Page {
        title: "Overview",
        here: Here::Overview,
        theme: who.theme,
        live: Some("/console/live/overview".to_owned()),
        parked: sample.blocked().0,
        body: html! {
            h1 { "Overview" }
            div #vitals class="vitals" { @if let Some(it) = piece("vitals") { (it) } }
            figure class="map" {
                div #map class="scroll" tabindex="0" role="region" aria-labelledby="map-caption" {
                    @if let Some(it) = piece("map") { (it) }
                }
                figcaption #map-caption {
                    "Who publishes to which topic, and which groups read it, as their "
                    "registrations declare. Point at a box to follow its cords."
                }
            }
            div class="stages" {
                @for (id, station, title, about) in SECTIONS {
                    section #(id) class="stage" aria-labelledby={ (id) "-title" } {
                        header {
                            span class="station" { (station) }
                            h2 id={ (id) "-title" } { (title) }
                            p {
                                (about)
                                @if id == "carry" { " " (carrier(&console.shop)) }
                            }
                        }
                        div id={ (id) "-rows" } class="scroll" tabindex="0" role="region"
                            aria-labelledby={ (id) "-title" } {
                            @if let Some(it) = piece(&format!("{id}-rows")) { (it) }
                            @else if id == "read" { (read()) }
                        }
                    }
                }
            }
        },
    })
}

const SECTIONS: [(&str, &str, &str, &str); 6] = [
    (
        "edge",
        "edge",
        "Services",
        "Each has a store and a listener of its own; the gateway passes calls by their path.",
    ),
    ("commit", "commit", "Stores", "Everything in a unit becomes true at once, or not at all."),
    (
        "relay",
        "relay",
        "Outboxes",
        "Committed messages that the relay has yet to carry to the broker.",
    ),
    ("carry", "carry", "Topics", "What was published, on the broker that all services share."),
    (
        "react",
        "react",
        "Groups",
        "Each group keeps its progress in its own store, in the unit of the effect.",
    ),
    ("read", "read", "Health & metrics", "The same figures for programs."),
];

/// What the broker is, and what it does not tell.
fn carrier(shop: &Shop) -> String {
    let backend = shop.broker.capabilities().backend;
    if shop.has_history() {
        return format!("It is {backend}, which keeps a history.");
    }
    format!(
        "It is {backend}, which keeps what a group has yet to take, and no history: records are \
         neither counted nor shown."
    )
}

/// The pieces of the page that change.
pub(super) fn fragments(shop: &Shop, sample: &Sample, before: Option<&Sample>) -> Fragments {
    let now = shop.clock.now();
    vec![
        ("vitals", vitals(shop, sample, before, now)),
        ("map", map::draw(shop, sample, before)),
        ("edge-rows", services(shop, sample)),
        ("commit-rows", stores(sample)),
        ("relay-rows", outboxes(sample)),
        ("carry-rows", topics(shop, sample, before)),
        ("react-rows", groups(shop, sample, now)),
        ("parked-count", html! { (sample.blocked().0) }),
    ]
}

/// The four figures that say whether anybody has to do anything.
fn vitals(shop: &Shop, sample: &Sample, before: Option<&Sample>, now: Timestamp) -> Markup {
    let ready = sample.ready.values().filter(|ready| **ready).count();
    let all = shop.services.len();
    let flow = before.map(|_| {
        let rates = sample.topics.iter().filter_map(|topic| sample.rate(before, &topic.name));
        rates.sum::<f64>()
    });
    let flow = flow.filter(|_| sample.has_history);
    let lag: u64 = sample.groups.iter().map(|row| row.lag).sum();
    let oldest = sample.groups.iter().filter_map(|row| row.oldest).min();
    let (parked, waiting) = sample.blocked();
    let records: Option<u64> =
        sample.topics.iter().map(|topic| sample.published(&topic.name)).sum();
    let vital = |tone: Tone, name: &str, figure: String, note: Markup| {
        html! {
            div class={ "vital " (tone.class()) } {
                dt { i class="lamp" {} (name) }
                dd { strong { (figure) } small { (note) } }
            }
        }
    };
    html! {
        dl {
            (vital(
                if ready == all { Tone::Good } else { Tone::Bad },
                "Services ready",
                format!("{ready} of {all}"),
                html! {
                    @if ready == all { "orders are taken" } @else { "orders wait at the door" }
                },
            ))
            (vital(
                Tone::Quiet,
                "Records",
                rate(flow),
                html! {
                    @match records {
                        Some(records) => { (count(records)) " in all" }
                        None => { "this broker does not count them" }
                    }
                },
            ))
            (vital(
                if lag == 0 { Tone::Good } else { Tone::Busy },
                "Behind",
                count(lag),
                html! {
                    @match oldest {
                        Some(oldest) if lag > 0 => { "the oldest for " (age(now, oldest)) }
                        _ => { "every group has read everything" }
                    }
                },
            ))
            (vital(
                if parked > 0 { Tone::Bad } else { Tone::Good },
                "Parked keys",
                parked.to_string(),
                html! {
                    @if parked > 0 { a href="/console/parked" { "wait for you" } }
                    @else if waiting > 0 { (waiting) " will be tried again" }
                    @else { "nothing waits for you" }
                },
            ))
        }
    }
}

fn services(shop: &Shop, sample: &Sample) -> Markup {
    html! {
        table {
            thead { tr { th { "Service" } th { "State" } th { "What it is for" } th { "Paths" } } }
            tbody {
                @for service in &shop.services {
                    tr {
                        th scope="row" { (service.name) }
                        td {
                            @match sample.ready.get(service.name) {
                                Some(true) => { (chip(Tone::Good, "ready")) }
                                Some(false) => { (chip(Tone::Warn, "not ready")) }
                                None => { (chip(Tone::Bad, "no answer")) }
                            }
                        }
                        td { (service.about) }
                        td {
                            @for path in service.paths {
                                @if !path.contains("/operator") { code { (path) } " " }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn stores(sample: &Sample) -> Markup {
    html! {
        table {
            thead { tr {
                th { "Store" } th class="figure" { "Position" } th class="figure" { "Incarnation" }
                th { "Blocked keys" }
            } }
            tbody {
                @for store in &sample.stores {
                    @let parked = store.gates.iter().filter(|gate| gate.due.is_none()).count();
                    @let waiting = store.gates.len() - parked;
                    tr {
                        th scope="row" { (store.service) }
                        td class="figure" { (count(store.position.0)) }
                        td class="figure" { (store.incarnation) }
                        td {
                            @if parked > 0 { (chip(Tone::Bad, &format!("{parked} parked"))) " " }
                            @if waiting > 0 { (chip(Tone::Warn, &format!("{waiting} waiting"))) }
                            @if store.gates.is_empty() { span class="faint" { "none" } }
                        }
                    }
                }
            }
        }
    }
}

fn outboxes(sample: &Sample) -> Markup {
    html! {
        table {
            thead { tr { th { "Outbox" } th class="figure" { "To be carried" } th { "State" } } }
            tbody {
                @for store in &sample.stores {
                    tr {
                        th scope="row" { (store.service) }
                        td class="figure" {
                            (count(store.unsent as u64)) @if store.unsent_more { " or more" }
                        }
                        td {
                            @if store.unsent == 0 { (chip(Tone::Good, "all carried")) }
                            @else { (chip(Tone::Busy, "carrying")) }
                        }
                    }
                }
            }
        }
    }
}

fn topics(shop: &Shop, sample: &Sample, before: Option<&Sample>) -> Markup {
    let owner = |topic: &str| {
        let owner = shop.services.iter().find(|it| it.owns.iter().any(|owned| owned == topic));
        owner.map_or("–", |service| service.name)
    };
    html! {
        table {
            thead { tr {
                th { "Topic" } th { "Owner" } th class="figure" { "Partitions" }
                th class="figure" { "Records" } th class="figure" { "Kept" }
                th class="figure" { "Rate" }
            } }
            tbody {
                @for topic in &sample.topics {
                    @let kept = topic.partitions.iter().map(|it| it.bytes).sum::<u64>();
                    tr {
                        th scope="row" { code { (topic.name) } }
                        td { (owner(&topic.name)) }
                        td class="figure" { (topic.partitions.len()) }
                        td class="figure" { (counted(sample.published(&topic.name))) }
                        td class="figure" {
                            @if sample.has_history { (bytes(kept)) } @else { "–" }
                        }
                        td class="figure" { (rate(sample.rate(before, &topic.name))) }
                    }
                }
            }
        }
    }
}

fn groups(shop: &Shop, sample: &Sample, now: Timestamp) -> Markup {
    html! {
        table {
            thead { tr {
                th { "Group" } th { "Service" } th { "Topic" } th { "Handles" }
                th class="figure" { "Behind" } th { "State" }
            } }
            tbody {
                @for service in &shop.services { @for group in &service.groups {
                    @for topic in map::topics_of(group) {
                        @let kinds = group.consumes.iter().filter(|(it, _)| *it == topic);
                        @let lag = sample.lag(&group.group, &topic);
                        @let parked = sample.parked_of(&group.group);
                        tr {
                            th scope="row" { code { (group.group) } }
                            td { (service.name) }
                            td { code { (topic) } }
                            td class="faint" {
                                @for (index, (_, kind)) in kinds.enumerate() {
                                    @if index > 0 { ", " }
                                    @if *kind == "*" { "everything" } @else { (kind) }
                                }
                            }
                            td class="figure" {
                                (lag.as_ref().map_or("–".to_owned(), |lag| count(lag.records)))
                            }
                            td {
                                @match &lag {
                                    _ if parked > 0 => {
                                        (chip(Tone::Bad, &format!("{parked} parked")))
                                    }
                                    None => { (chip(Tone::Warn, "not running")) }
                                    Some(lag) if lag.members == 0 => {
                                        (chip(Tone::Warn, "nobody reads"))
                                    }
                                    Some(lag) if lag.records == 0 => {
                                        (chip(Tone::Good, "up to date"))
                                    }
                                    Some(lag) => {
                                        (chip(Tone::Busy, &match lag.oldest {
                                            Some(oldest) => format!("oldest {}", age(now, oldest)),
                                            None => "reading".to_owned(),
                                        }))
                                    }
                                }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn read() -> Markup {
    html! {
        ul class="links" {
            li { a href="/readyz" { code { "/readyz" } } " 200 only when orders can be taken" }
            li { a href="/livez" { code { "/livez" } } " 200 while the process answers" }
            li { a href="/metrics" { code { "/metrics" } } " counters, gauges and histograms" }
            li { a href="/" { code { "/" } } " the shop's resources" }
        }
    }
}
