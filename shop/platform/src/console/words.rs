//! Small words that all pages share: amounts, times, states, and where they lead.

use maud::{Markup, html};
use serde_json::Value;
use switchboard_core::Timestamp;

use crate::commands::show;

/// How something stands, which decides its colour and never stands alone: its word is beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Quiet,
    Good,
    Busy,
    Warn,
    Bad,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A state with its lamp.
pub(super) fn chip(tone: Tone, word: &str) -> Markup {
    html! { span class={ "chip " (tone.class()) } { i class="lamp" {} (word) } }
}

/// The state of an order.
pub(super) fn order_chip(status: &str) -> Markup {
    let tone = match status {
        "completed" => Tone::Good,
        "failed" | "payment_cancelled" => Tone::Quiet,
        "compensate_inventory" => Tone::Warn,
        "undo_failed" => Tone::Bad,
        _ => Tone::Busy,
    };
    chip(tone, &spaced(status))
}

/// `payment_processing` for people.
pub(super) fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// An id that can be told apart at a glance, whole for those who copy it.
pub(super) fn id(id: &str) -> Markup {
    let start = id.char_indices().rev().nth(11).map_or(0, |(at, _)| at);
    html! { code class="id" title=(id) { @if start > 0 { "…" } (id[start..]) } }
}

/// A time of the day with its date for those who ask.
pub(super) fn time(text: &str) -> Markup {
    html! { time datetime=(text) title=(text) { (show::clock(text)) } }
}

/// A day with the time of it.
pub(super) fn date(text: &str) -> Markup {
    let day = text.split_once('T').map_or("", |(day, _)| day);
    let clock = show::clock(text);
    let clock = clock.split_once('.').map_or(&*clock, |(seconds, _)| seconds);
    html! { time datetime=(text) title=(text) { span class="date" { (day) } " " (clock) } }
}

/// An amount of money.
pub(super) fn money(value: &Value) -> Markup {
    let amount = value["amount"].as_i64().unwrap_or_default();
    let sign = if amount < 0 { "−" } else { "" };
    let amount = amount.unsigned_abs();
    let (whole, cents) = (count(amount / 100), format!("{:02}", amount % 100));
    let currency = value["currency"].as_str().unwrap_or_default();
    html! { (sign) (whole) "." (cents) " " small { (currency) } }
}

/// A count with thin spaces between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// Bytes as people say them.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

/// A number that the broker may not know.
pub(super) fn counted(number: Option<u64>) -> String {
    number.map_or_else(|| "–".to_owned(), count)
}

/// Records per second, two digits.
pub(super) fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "–".to_owned(),
        Some(rate) if rate < 0.05 => "0/s".to_owned(),
        Some(rate) if rate < 9.95 => format!("{rate:.1}/s"),
        Some(rate) => format!("{}/s", count(rate.round() as u64)),
    }
}

/// How long ago, roughly, so that it does not change with every look.
pub(super) fn age(now: Timestamp, then: Timestamp) -> String {
    match now.since(then).as_secs() {
        0 => "now".to_owned(),
        seconds @ 1..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds @ 3_600..86_400 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// What a page says when it has nothing to show: what would be here, and how it comes here.
pub(super) fn empty(title: &str, text: Markup) -> Markup {
    html! {
        div class="empty" {
            svg viewBox="0 0 48 24" aria-hidden="true" {
                circle cx="6" cy="12" r="4" {}
                path d="M10 12 C 20 12 20 20 28 20" {}
                circle cx="42" cy="6" r="4" {}
            }
            p class="title" { (title) }
            p { (text) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(count(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(count(12), "12");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(
            [rate(None), rate(Some(0.0)), rate(Some(3.21)), rate(Some(99.6))].join(" "),
            "– 0/s 3.2/s 100/s"
        );
        let then = Timestamp::default();
        assert_eq!(age(then.plus(Duration::from_secs(7_300)), then), "2 h");
    }

    #[test]
    fn an_id_is_cut_for_the_eye_and_whole_for_the_hand() {
        let markup = id("0191d3a0-0000-7000-8000-0123456789ab").into_string();
        assert!(markup.contains(">…0123456789ab<") && markup.contains("0191d3a0-"), "{markup}");
        assert!(!id("short").into_string().contains('…'));
    }
}
