//! What each dialect calls what it says, and how it writes numbers.

use super::Dialect;

/// Something that a dialect can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Topic,
    Partition,
    /// Counted from 0, as Kafka does.
    Offset,
    /// Counted from 1, as we do.
    Position,
    Time,
    /// Whether the time is the producer's; it always is with us.
    TimeType,
    Group,
    Attempts,
    ErrorClass,
    Error,
    Stacktrace,
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// Big-endian: four bytes for what Java calls an int, eight for a long.
    Binary,
}

const SWITCHBOARD: &[(Field, &str)] = &[
    (Field::Topic, "switchboard.dead.topic"),
    (Field::Partition, "switchboard.dead.partition"),
    (Field::Position, "switchboard.dead.position"),
    (Field::Time, "switchboard.dead.time"),
    (Field::Group, "switchboard.dead.group"),
    (Field::Attempts, "switchboard.dead.attempts"),
    (Field::ErrorClass, "switchboard.dead.error-class"),
    (Field::Error, "switchboard.dead.error"),
    (Field::Stacktrace, "switchboard.dead.stacktrace"),
];

const SPRING: &[(Field, &str)] = &[
    (Field::Topic, "kafka_dlt-original-topic"),
    (Field::Partition, "kafka_dlt-original-partition"),
    (Field::Offset, "kafka_dlt-original-offset"),
    (Field::Time, "kafka_dlt-original-timestamp"),
    (Field::TimeType, "kafka_dlt-original-timestamp-type"),
    (Field::Group, "kafka_dlt-original-consumer-group"),
    (Field::Attempts, "kafka_deliveryAttempt"),
    (Field::ErrorClass, "kafka_dlt-exception-fqcn"),
    (Field::Error, "kafka_dlt-exception-message"),
    (Field::Stacktrace, "kafka_dlt-exception-stacktrace"),
];

/// Spring writes these instead when it is the key that cannot be read.
const SPRING_KEY: &[(Field, &str)] = &[
    (Field::ErrorClass, "kafka_dlt-key-exception-fqcn"),
    (Field::Error, "kafka_dlt-key-exception-message"),
    (Field::Stacktrace, "kafka_dlt-key-exception-stacktrace"),
];

const CONNECT: &[(Field, &str)] = &[
    (Field::Topic, "__connect.errors.topic"),
    (Field::Partition, "__connect.errors.partition"),
    (Field::Offset, "__connect.errors.offset"),
    (Field::Group, "__connect.errors.connector.name"),
    (Field::ErrorClass, "__connect.errors.exception.class.name"),
    (Field::Error, "__connect.errors.exception.message"),
    (Field::Stacktrace, "__connect.errors.exception.stacktrace"),
];

const SHARE_GROUP: &[(Field, &str)] = &[
    (Field::Topic, "__dlq.errors.topic"),
    (Field::Partition, "__dlq.errors.partition"),
    (Field::Offset, "__dlq.errors.offset"),
    (Field::Group, "__dlq.errors.group"),
    (Field::Attempts, "__dlq.errors.delivery.count"),
    (Field::Error, "__dlq.errors.message"),
];

/// The headers that a dialect writes, in their order.
pub(super) const fn names(dialect: Dialect) -> &'static [(Field, &'static str)] {
    match dialect {
        Dialect::Switchboard => SWITCHBOARD,
        Dialect::Spring => SPRING,
        Dialect::Connect => CONNECT,
        Dialect::ShareGroup => SHARE_GROUP,
    }
}

/// What a header says in a dialect.
pub(super) fn named(dialect: Dialect, header: &str) -> Option<Field> {
    let key: &[(Field, &str)] = if dialect == Dialect::Spring { SPRING_KEY } else { &[] };
    let mut all = names(dialect).iter().chain(key);
    all.find(|(_, name)| *name == header).map(|(field, _)| *field)
}

pub(super) const fn form(dialect: Dialect) -> Form {
    match dialect {
        Dialect::Spring => Form::Binary,
        Dialect::Switchboard | Dialect::Connect | Dialect::ShareGroup => Form::Text,
    }
}

// === impl Form ===

impl Form {
    pub(super) fn int(self, number: i64) -> Vec<u8> {
        match self {
            Self::Text => number.to_string().into_bytes(),
            Self::Binary => i32::try_from(number).unwrap_or(i32::MAX).to_be_bytes().to_vec(),
        }
    }

    pub(super) fn long(self, number: i64) -> Vec<u8> {
        match self {
            Self::Text => number.to_string().into_bytes(),
            Self::Binary => number.to_be_bytes().to_vec(),
        }
    }

    pub(super) fn number(self, value: &[u8]) -> Option<i64> {
        match self {
            Self::Text => std::str::from_utf8(value).ok()?.trim().parse().ok(),
            Self::Binary => match value.len() {
                4 => Some(i64::from(i32::from_be_bytes(value.try_into().ok()?))),
                8 => Some(i64::from_be_bytes(value.try_into().ok()?)),
                _ => None,
            },
        }
    }
}
