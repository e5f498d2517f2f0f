//! Golden headers: as the tools of others write and read them.

use super::*;

fn letter() -> DeadLetter {
    DeadLetter {
        topic: "orders".into(),
        partition: Some(3),
        position: Some(257),
        time: Some(Timestamp::from_micros(1_700_000_000_123_000)),
        group: Some("billing".into()),
        attempts: Some(10),
        error_class: Some("java.lang.IllegalStateException".into()),
        error: Some("no such account".into()),
        stacktrace: Some("at Billing".into()),
    }
}

fn read_back(headers: &[(String, Vec<u8>)]) -> Option<(Dialect, DeadLetter)> {
    read(headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice()))))
}

fn golden(dialect: Dialect, expected: &[(&str, &[u8])]) {
    let written = letter().write(dialect);
    let written: Vec<_> = written.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(written, expected, "{dialect:?}");
}

#[test]
fn spring_writes_numbers_as_big_endian_bytes() {
    golden(
        Dialect::Spring,
        &[
            ("kafka_dlt-original-topic", b"orders"),
            ("kafka_dlt-original-partition", &[0, 0, 0, 3]),
            ("kafka_dlt-original-offset", &[0, 0, 0, 0, 0, 0, 1, 0]),
            ("kafka_dlt-original-timestamp", &[0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0x7b]),
            ("kafka_dlt-original-timestamp-type", b"CREATE_TIME"),
            ("kafka_dlt-original-consumer-group", b"billing"),
            ("kafka_deliveryAttempt", &[0, 0, 0, 10]),
            ("kafka_dlt-exception-fqcn", b"java.lang.IllegalStateException"),
            ("kafka_dlt-exception-message", b"no such account"),
            ("kafka_dlt-exception-stacktrace", b"at Billing"),
        ],
    );
}

#[test]
fn connect_and_share_groups_write_text() {
    golden(
        Dialect::Connect,
        &[
            ("__connect.errors.topic", b"orders"),
            ("__connect.errors.partition", b"3"),
            ("__connect.errors.offset", b"256"),
            ("__connect.errors.connector.name", b"billing"),
            ("__connect.errors.exception.class.name", b"java.lang.IllegalStateException"),
            ("__connect.errors.exception.message", b"no such account"),
            ("__connect.errors.exception.stacktrace", b"at Billing"),
        ],
    );
    golden(
        Dialect::ShareGroup,
        &[
            ("__dlq.errors.topic", b"orders"),
            ("__dlq.errors.partition", b"3"),
            ("__dlq.errors.offset", b"256"),
            ("__dlq.errors.group", b"billing"),
            ("__dlq.errors.delivery.count", b"10"),
            ("__dlq.errors.message", b"no such account"),
        ],
    );
}

#[test]
fn ours_counts_positions_from_one() {
    golden(
        Dialect::Switchboard,
        &[
            ("switchboard.dead.topic", b"orders"),
            ("switchboard.dead.partition", b"3"),
            ("switchboard.dead.position", b"257"),
            ("switchboard.dead.time", b"2023-11-14T22:13:20.123Z"),
            ("switchboard.dead.group", b"billing"),
            ("switchboard.dead.attempts", b"10"),
            ("switchboard.dead.error-class", b"java.lang.IllegalStateException"),
            ("switchboard.dead.error", b"no such account"),
            ("switchboard.dead.stacktrace", b"at Billing"),
        ],
    );
}

#[test]
fn what_is_written_is_read() {
    for dialect in Dialect::ALL {
        let (spoken, read) = read_back(&letter().write(dialect)).expect("a dead letter");
        assert_eq!(spoken, dialect);
        let left_out = match dialect {
            Dialect::Switchboard | Dialect::Spring => letter(),
            Dialect::Connect => DeadLetter { time: None, attempts: None, ..letter() },
            Dialect::ShareGroup => {
                DeadLetter { time: None, error_class: None, stacktrace: None, ..letter() }
            }
        };
        assert_eq!(read, left_out, "{dialect:?}");
    }
}

#[test]
fn a_key_that_spring_could_not_read_is_an_error_too() {
    let headers: [(&str, Option<&[u8]>); 3] = [
        ("kafka_dlt-original-topic", Some(b"orders")),
        ("kafka_dlt-key-exception-fqcn", Some(b"DeserializationException")),
        ("kafka_dlt-key-exception-message", Some(b"not JSON")),
    ];
    let (dialect, letter) = read(headers).expect("a dead letter");
    assert_eq!(dialect, Dialect::Spring);
    assert_eq!(letter.error_class.as_deref(), Some("DeserializationException"));
    assert_eq!(letter.error.as_deref(), Some("not JSON"));
}

#[test]
fn damaged_numbers_are_left_out_and_others_are_no_dead_letters() {
    let damaged: [(&str, Option<&[u8]>); 5] = [
        ("kafka_dlt-original-topic", Some(b"orders")),
        ("kafka_dlt-original-partition", Some(b"three")),
        ("kafka_dlt-original-offset", Some(&[255; 8])),
        ("kafka_deliveryAttempt", None),
        ("kafka_dlt-exception-message", Some(&[0xff])),
    ];
    let (_, letter) = read(damaged).expect("a dead letter");
    assert_eq!((letter.partition, letter.attempts), (None, None));
    assert_eq!(letter.position, Some(0), "offset -1 is before everything");
    assert_eq!(letter.error.as_deref(), Some("\u{fffd}"));
    assert_eq!(read([("color", Some(&b"blue"[..]))]), None);
    assert_eq!(read([("__dlq.errors.group", Some(&b"no topic"[..]))]), None);
}
