//! The map of the shop as a switchboard: services plug into topics, topics into groups. Drawn on the server, as SVG without styles.

use maud::{Markup, html};
use switchboard_core::Name;
use switchboard_handler::Description;

use super::Shop;
use super::sample::Sample;
use super::words::{count, counted, rate};

const WIDTH: u32 = 1_180;
/// Left edges and widths of the three columns.
const SERVICES: (u32, u32) = (2, 170);
const TOPICS: (u32, u32) = (358, 330);
const GROUPS: (u32, u32) = (876, 302);
const BOX: u32 = 38;
const GAP: u32 = 8;
const TOP: u32 = 30;

/// One box, with where its cords end.
struct Spot {
    name: String,
    y: u32,
}

/// The topics of a group, each once, in order.
pub(super) fn topics_of(group: &Description) -> Vec<Name> {
    let mut topics: Vec<Name> = Vec::new();
    for (topic, _) in &group.consumes {
        if !topics.contains(topic) {
            topics.push(topic.clone());
        }
    }
    topics
}

/// The whole map.
pub(super) fn draw(shop: &Shop, sample: &Sample, before: Option<&Sample>) -> Markup {
    let topics = topics(shop);
    let groups: Vec<_> = shop
        .services
        .iter()
        .flat_map(|service| service.groups.iter().map(move |group| (service.name, group)))
        .collect();
    let rows = topics.len().max(groups.len()).max(shop.services.len());
    let height = TOP + u32::try_from(rows).unwrap_or(1) * (BOX + GAP) + 4;
    let services = column(shop.services.iter().map(|service| service.name.to_owned()), height);
    let topics = column(topics, height);
    let places = column(groups.iter().map(|(_, group)| group.group.to_string()), height);
    html! {
        svg class="map" viewBox={ "0 0 " (WIDTH) " " (height) } role="img"
            aria-label="Services publish to topics; groups read them. Tables below say the same." {
            (heading(SERVICES.0, "services"))
            (heading(TOPICS.0, "topics"))
            (heading(GROUPS.0, "groups"))
            g class="cords" {
                @for (service, from) in shop.services.iter().zip(&services) {
                    @for topic in service.publishes {
                        @if let Some(to) = find(&topics, topic) {
                            @let busy = is_busy(sample, before, topic);
                            (cord(SERVICES.0 + SERVICES.1, from, TOPICS.0, to, busy))
                        }
                    }
                }
                @for ((_, group), to) in groups.iter().zip(&places) {
                    @for topic in topics_of(group) {
                        @if let Some(from) = find(&topics, &topic) {
                            @let lag = sample.lag(&group.group, &topic);
                            @let busy = lag.is_some_and(|lag| lag.records > 0)
                                || is_busy(sample, before, &topic);
                            (cord(TOPICS.0 + TOPICS.1, from, GROUPS.0, to, busy))
                        }
                    }
                }
            }
            @for (service, spot) in shop.services.iter().zip(&services) {
                @let ready = sample.ready.get(service.name).copied();
                @let tone = ready.map_or("bad", |ready| if ready { "good" } else { "warn" });
                g class={ "spot service " (tone) } data-spot=(spot.name) {
                    title { (service.name) ": " (service.about) }
                    (plate(SERVICES, spot))
                    circle class="lamp" cx=(SERVICES.0 + 16) cy=(spot.y + BOX / 2) r="4" {}
                    text class="name" x=(SERVICES.0 + 30) y=(spot.y + BOX / 2 + 4) {
                        (service.name)
                    }
                }
            }
            @for spot in &topics { (topic(spot, sample, before)) }
            @for ((service, description), spot) in groups.iter().zip(&places) {
                (group(service, description, spot, sample))
            }
        }
    }
}

/// Topics in the order in which services publish to them, so that cords cross little.
fn topics(shop: &Shop) -> Vec<String> {
    let published = shop.services.iter().flat_map(|service| service.publishes.iter().copied());
    let owned = shop.services.iter().flat_map(|service| service.owns.iter().map(Name::as_str));
    let mut topics: Vec<String> = Vec::new();
    for topic in published.chain(owned) {
        if !topics.iter().any(|known| known == topic) {
            topics.push(topic.to_owned());
        }
    }
    topics
}

/// Boxes of a column, spread over the height.
fn column(names: impl IntoIterator<Item = String>, height: u32) -> Vec<Spot> {
    let names: Vec<_> = names.into_iter().collect();
    let count = u32::try_from(names.len()).unwrap_or(1).max(1);
    let room = (height - TOP) / count;
    let lead = room.saturating_sub(BOX) / 2;
    (0..).zip(names).map(|(row, name)| Spot { name, y: TOP + row * room + lead }).collect()
}

fn find<'a>(spots: &'a [Spot], name: &str) -> Option<&'a Spot> {
    spots.iter().find(|spot| spot.name == name)
}

fn is_busy(sample: &Sample, before: Option<&Sample>, topic: &str) -> bool {
    sample.rate(before, topic).is_some_and(|rate| rate > 0.0)
}

fn heading(x: u32, text: &str) -> Markup {
    html! { text class="heading" x=(x) y="14" { (text) } }
}

fn plate((x, width): (u32, u32), spot: &Spot) -> Markup {
    html! { rect x=(x) y=(spot.y) width=(width) height=(BOX) rx="7" {} }
}

/// A cord hangs a little, as cords do.
fn cord(x1: u32, from: &Spot, x2: u32, to: &Spot, is_busy: bool) -> Markup {
    let (y1, y2) = (from.y + BOX / 2, to.y + BOX / 2);
    let reach = (x2 - x1) / 2;
    let path = format!("M{x1} {y1}C{} {} {} {} {x2} {y2}", x1 + reach, y1 + 8, x2 - reach, y2 + 8);
    let class = if is_busy { "cord busy" } else { "cord" };
    html! {
        g class=(class) data-from=(from.name) data-to=(to.name) {
            path d=(path) {}
            circle cx=(x1) cy=(y1) r="3" {}
            circle cx=(x2) cy=(y2) r="3" {}
        }
    }
}

fn topic(spot: &Spot, sample: &Sample, before: Option<&Sample>) -> Markup {
    let right = TOPICS.0 + TOPICS.1 - 14;
    let base = spot.y + BOX / 2 + 4;
    html! {
        g class="spot topic" data-spot=(spot.name) {
            title { (spot.name) ": " (counted(sample.published(&spot.name))) " records" }
            (plate(TOPICS, spot))
            text class="name mono" x=(TOPICS.0 + 14) y=(base) { (spot.name) }
            text class="figure" x=(right) y=(base) text-anchor="end" {
                (rate(sample.rate(before, &spot.name)))
                " · " (counted(sample.published(&spot.name)))
            }
        }
    }
}

fn group(service: &str, group: &Description, spot: &Spot, sample: &Sample) -> Markup {
    let lags: Vec<_> =
        topics_of(group).iter().map(|topic| sample.lag(&group.group, topic)).collect();
    let behind: u64 = lags.iter().flatten().map(|lag| lag.records).sum();
    let parked = sample.parked_of(&group.group);
    let (tone, word) = match (parked, behind, lags.iter().all(Option::is_some)) {
        (1.., ..) => ("bad", format!("{parked} parked")),
        (_, _, false) => ("warn", "not running".to_owned()),
        (0, 1.., _) => ("busy", format!("{} behind", count(behind))),
        (0, 0, true) => ("good", "up to date".to_owned()),
    };
    let base = spot.y + BOX / 2 + 4;
    let right = GROUPS.0 + GROUPS.1 - 14;
    // A group is often called after its service: that half would only repeat the next word.
    let name = spot.name.strip_prefix(service).map_or(&*spot.name, |rest| {
        let rest = rest.trim_start_matches(['.', '-', '_', '/']);
        if rest.is_empty() { &spot.name } else { rest }
    });
    html! {
        g class={ "spot group " (tone) } data-spot=(spot.name) {
            title { (spot.name) " of " (service) ": " (word) }
            (plate(GROUPS, spot))
            circle class="lamp" cx=(GROUPS.0 + 16) cy=(spot.y + BOX / 2) r="4" {}
            text class="name" x=(GROUPS.0 + 30) y=(base) {
                tspan class="owner" { (service) } " " (name)
            }
            text class="figure" x=(right) y=(base) text-anchor="end" { (word) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_a_column_do_not_overlap_and_stay_inside() {
        for count in [1, 6, 12] {
            let height = TOP + 12 * (BOX + GAP) + 4;
            let spots = column((0..count).map(|number| number.to_string()), height);
            assert!(spots.windows(2).all(|pair| pair[1].y >= pair[0].y + BOX), "{count}");
            assert!(spots.iter().all(|spot| spot.y >= TOP && spot.y + BOX <= height), "{count}");
        }
    }
}
