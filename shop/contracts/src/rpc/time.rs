//! Moments as Protocol Buffers have them: seconds and nanoseconds, of which the shop keeps microseconds.

use prost_types::Timestamp as Wire;
use switchboard_core::Timestamp;

const MICROS: i64 = 1_000_000;

/// A moment for the wire.
pub fn timestamp(time: Timestamp) -> Wire {
    let micros = time.as_micros();
    // The remainder lies below a million, so its nanoseconds fit.
    let nanos = i32::try_from(micros.rem_euclid(MICROS) * 1_000).unwrap_or(0);
    Wire { seconds: micros.div_euclid(MICROS), nanos }
}

/// A moment off the wire; `None` when it is not one that the protocol allows. What is finer than a
/// microsecond is cut off.
pub fn from_timestamp(wire: &Wire) -> Option<Timestamp> {
    // The years 1 to 9999.
    const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
    if !SECONDS.contains(&wire.seconds) || !(0..1_000_000_000).contains(&wire.nanos) {
        return None;
    }
    let micros = wire.seconds.checked_mul(MICROS)?.checked_add(i64::from(wire.nanos) / 1_000)?;
    Some(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back_from_the_wire_also_from_before_1970() {
        for micros in [0, 1, 999_999, 1_000_000, 1_767_225_600_123_456, -1, -1_000_001] {
            let time = Timestamp::from_micros(micros);
            let wire = timestamp(time);
            assert!((0..1_000_000_000).contains(&wire.nanos), "{wire:?}");
            assert_eq!(from_timestamp(&wire), Some(time));
        }
    }

    #[test]
    fn what_the_protocol_does_not_allow_is_no_moment() {
        for (seconds, nanos) in [(0, -1), (0, 1_000_000_000), (i64::MAX, 0), (i64::MIN, 0)] {
            assert_eq!(from_timestamp(&Wire { seconds, nanos }), None);
        }
    }
}
