//! The `grpc-timeout` header: at most eight digits and a unit.

use std::time::Duration;

/// The largest number of eight digits.
const LARGEST: u128 = 99_999_999;

/// Units from the finest on, with their nanoseconds.
const UNITS: [(char, u128); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60 * 1_000_000_000),
    ('H', 3_600 * 1_000_000_000),
];

/// Writes a duration in the finest unit that fits, rounded down: the other side must not believe
/// that it has longer than somebody waits.
///
/// ```
/// use std::time::Duration;
/// use switchboard_resilience::propagate::{decode_timeout, encode_timeout};
///
/// assert_eq!(encode_timeout(Duration::from_millis(1_500)), "1500000u");
/// assert_eq!(decode_timeout("1500m"), Some(Duration::from_millis(1_500)));
/// ```
pub fn encode_timeout(timeout: Duration) -> String {
    let nanos = timeout.as_nanos();
    let fits = UNITS.iter().find(|(_, unit)| nanos / unit <= LARGEST);
    match fits {
        Some((letter, unit)) => format!("{}{letter}", nanos / unit),
        None => format!("{LARGEST}H"),
    }
}

/// Reads what [`encode_timeout`] and every gRPC client writes; `None` for anything else.
pub fn decode_timeout(text: &str) -> Option<Duration> {
    let letter = text.chars().next_back()?;
    let digits = text.strip_suffix(letter)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (_, unit) = UNITS.iter().find(|(known, _)| *known == letter)?;
    let nanos = digits.parse::<u128>().ok()? * unit;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).ok()?))
}
