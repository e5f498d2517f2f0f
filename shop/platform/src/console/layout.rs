//! The frame of every page: the menu along the flow of data, the page in it, and the keys that move between pages.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, html};

use super::session::Theme;
use super::{SCRIPT, STYLE};

/// A page on its way into the frame.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// The menu's entry that is lit.
    pub(super) here: Here,
    pub(super) theme: Theme,
    /// Where its live fragments come from; none for a page that stands still.
    pub(super) live: Option<String>,
    /// Keys that are parked, for the menu.
    pub(super) parked: usize,
    pub(super) body: Markup,
}

/// Entries of the menu that are pages of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    Overview,
    Orders,
    Parked,
    Policies,
}

/// Where an entry of the menu leads, its name, and the page that it is, if it is one.
type Entry = (&'static str, &'static str, Option<Here>);

/// The menu along the flow: a station, and what can be looked at there. Later pages find their
/// place here.
const FLOW: [(&str, &[Entry]); 7] = [
    (
        "edge",
        &[
            ("/console#edge", "Services", None),
            ("/console/policies", "Policies", Some(Here::Policies)),
        ],
    ),
    ("decide", &[("/console/orders", "Orders", Some(Here::Orders))]),
    ("commit", &[("/console#commit", "Stores", None)]),
    ("relay", &[("/console#relay", "Outboxes", None)]),
    ("carry", &[("/console#carry", "Topics", None)]),
    (
        "react",
        &[
            ("/console#react", "Groups", None),
            ("/console/parked", "Parked keys", Some(Here::Parked)),
        ],
    ),
    ("read", &[("/console#read", "Health & metrics", None)]),
];

const KEYS: [(&str, &str); 7] = [
    ("g o", "Overview"),
    ("g d", "Orders"),
    ("g p", "Parked keys"),
    ("g e", "Policies"),
    ("/", "find an order"),
    ("t", "light or dark"),
    ("?", "these keys"),
];

/// Versions of the assets: a sum of their content, so that a new program brings new files.
static STYLE_AT: LazyLock<String> = LazyLock::new(|| versioned("style.css", STYLE));
static SCRIPT_AT: LazyLock<String> = LazyLock::new(|| versioned("script.js", SCRIPT));

fn versioned(file: &str, text: &str) -> String {
    let sum = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let sum: String = sum.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("/console/{file}?v={sum}")
}

/// A page in its frame.
pub(super) fn page(page: Page<'_>) -> Markup {
    let live = page.live.as_deref();
    document(
        page.title,
        page.theme,
        html! {
            a class="skip" href="#main" { "Skip to the page" }
            header class="bar" {
                (brand())
                span #live class="live" data-live=[live] hidden[true] role="status" {
                    i class="lamp" {} span { "connecting" }
                }
                form class="find" action="/console/orders/find" role="search" {
                    label class="hidden" for="find" { "Find an order by its id" }
                    input #find name="id" type="search" placeholder="Find an order"
                    autocomplete="off"
                        spellcheck="false" aria-keyshortcuts="/";
                }
                (theme_buttons(page.theme))
                form class="out" action="/console/sign-out" method="post" {
                    button class="plain" { "Sign out" }
                }
            }
            (menu(page.here, page.parked))
            main #main tabindex="-1" { (page.body) }
            footer class="foot" {
                p class="static" { "Without a script, reload the page to see what is new." }
            p { "Times are UTC." }
                dl class="keys" aria-label="Keyboard" {
                    @for (key, what) in KEYS {
                        div {
                        dt { @for part in key.split(' ') { kbd { (part) } " " } }
                        dd { (what) }
                    }
                    }
                }
            }
        },
    )
}

/// A page outside of the frame, for those who are not signed in.
pub(super) fn bare(title: &str, theme: Theme, body: Markup) -> Markup {
    document(title, theme, html! { main #main class="bare" { (brand()) (body) } })
}

fn document(title: &str, theme: Theme, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(theme.name()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Forms must be able to say that they are ours.
                meta name="referrer" content="same-origin";
                title { (title) " · Switchboard" }
                link rel="stylesheet" href=(*STYLE_AT);
                link rel="icon" href=(ICON);
                script src=(*SCRIPT_AT) defer {}
            }
            body { (body) }
        }
    }
}

/// Two jacks and a cord.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
    viewBox='0 0 32 32'%3E\
    %3Crect width='32' height='32' rx='7' fill='%230b5d66'/%3E\
    %3Cpath d='M10 11C10 26 22 6 22 21' fill='none' stroke='%23e9c46a' stroke-width='3'/%3E\
    %3Ccircle cx='10' cy='10' r='4' fill='%23fff'/%3E\
    %3Ccircle cx='22' cy='22' r='4' fill='%23fff'/%3E%3C/svg%3E";

fn brand() -> Markup {
    html! {
        a class="brand" href="/console" {
            svg viewBox="0 0 32 32" aria-hidden="true" {
                rect width="32" height="32" rx="7" {}
                path d="M10 11C10 26 22 6 22 21" {}
                circle cx="10" cy="10" r="4" {}
                circle cx="22" cy="22" r="4" {}
            }
            span { "Switchboard" }
        }
    }
}

fn theme_buttons(theme: Theme) -> Markup {
    html! {
        form #theme class="theme" action="/console/theme" method="post" aria-label="Theme" {
            @for choice in [Theme::Light, Theme::Auto, Theme::Dark] {
                button name="theme" value=(choice.name()) aria-pressed=(choice == theme) {
                    (choice.name())
                }
            }
        }
    }
}

fn menu(here: Here, parked: usize) -> Markup {
    let current = |entry: Option<Here>| (entry == Some(here)).then_some("page");
    html! {
        nav class="menu" aria-label="Pages" {
            a class="first" href="/console" aria-current=[current(Some(Here::Overview))] {
                "Overview"
            }
            ol {
                @for (station, entries) in FLOW {
                    @let has_pages = entries.iter().any(|(_, _, page)| page.is_some());
                    li class=[has_pages.then_some("pages")] {
                        span class="station" { (station) }
                        @for (href, name, entry) in entries {
                            a href=(href) aria-current=[current(*entry)] {
                                (name)
                                @if *entry == Some(Here::Parked) { (badge(parked)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How many keys are parked, in the menu; a fragment of every page.
pub(super) fn badge(parked: usize) -> Markup {
    html! { span #parked-count class="badge" hidden[parked == 0] { (parked) } }
}
