//! Records that were given up, as headers that the tools of others know.
//!
//! A dead letter is the record as it was, in the topic `<topic>.dead`, with headers that say where
//! it came from and why. Four dialects are read and written:
//!
//! | dialect | headers | numbers |
//! |---|---|---|
//! | [`Dialect::Switchboard`] | `switchboard.dead.*` | text |
//! | [`Dialect::Spring`] | `kafka_dlt-*` of Spring for Apache Kafka | big-endian bytes |
//! | [`Dialect::Connect`] | `__connect.errors.*` of Kafka Connect | text |
//! | [`Dialect::ShareGroup`] | `__dlq.errors.*` of Kafka's share groups (KIP-1191) | text |
//!
//! ```
//! use switchboard_message_kafka::dead_letters::{DeadLetter, Dialect, read};
//!
//! let letter = DeadLetter { partition: Some(3), position: Some(8), ..DeadLetter::of("orders") };
//! let headers = letter.write(Dialect::Spring);
//! assert_eq!(headers[2], ("kafka_dlt-original-offset".to_owned(), vec![0, 0, 0, 0, 0, 0, 0, 7]));
//!
//! let pairs = headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_slice())));
//! assert_eq!(read(pairs), Some((Dialect::Spring, letter)));
//! ```

mod fields;

use switchboard_core::Timestamp;

use fields::{Field, Form};

/// Who is meant to understand the headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Our own.
    #[default]
    Switchboard,
    /// Spring for Apache Kafka.
    Spring,
    /// Kafka Connect.
    Connect,
    /// Kafka's own share groups.
    ShareGroup,
}

/// What is known of a record that was given up. No dialect says everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic it was read from, as Kafka names it.
    pub topic: String,
    /// The partition it was read from.
    pub partition: Option<u32>,
    /// Its place there, from 1: one more than Kafka's offset.
    pub position: Option<u64>,
    /// When it was published.
    pub time: Option<Timestamp>,
    /// The group that gave it up; the connector's name in Connect's dialect.
    pub group: Option<String>,
    /// How often it was tried.
    pub attempts: Option<u32>,
    /// What kind of error it was: a class, where the group's language has classes.
    pub error_class: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Where it went wrong.
    pub stacktrace: Option<String>,
}

/// Reads the headers of a dead letter; `None` when a record has none in any dialect. A number that
/// cannot be read is left out: an operator is better served by the rest than by an error.
pub fn read<'a>(
    headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> Option<(Dialect, DeadLetter)> {
    let headers: Vec<_> = headers.into_iter().collect();
    Dialect::ALL.into_iter().find_map(|dialect| {
        let mut letter = DeadLetter::default();
        let mut spoken = false;
        for (name, value) in &headers {
            let Some(field) = fields::named(dialect, name) else { continue };
            spoken |= field == Field::Topic;
            if let Some(value) = value {
                letter.take(field, fields::form(dialect), value);
            }
        }
        spoken.then_some((dialect, letter))
    })
}

// === impl Dialect ===

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Switchboard, Self::Spring, Self::Connect, Self::ShareGroup];

    /// Whether a header belongs to this dialect.
    pub fn owns(self, header: &str) -> bool {
        fields::named(self, header).is_some()
    }
}

// === impl DeadLetter ===

impl DeadLetter {
    /// A record of this topic, of which nothing else is known.
    pub fn of(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), ..Self::default() }
    }

    /// The headers in a dialect, without what it has no name for.
    pub fn write(&self, dialect: Dialect) -> Vec<(String, Vec<u8>)> {
        let form = fields::form(dialect);
        let header = |(field, name): &(Field, &str)| {
            self.value(*field, form).map(|value| ((*name).to_owned(), value))
        };
        fields::names(dialect).iter().filter_map(header).collect()
    }

    fn value(&self, field: Field, form: Form) -> Option<Vec<u8>> {
        let text = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        match field {
            Field::Topic => Some(self.topic.clone().into_bytes()),
            Field::Partition => self.partition.map(|number| form.int(i64::from(number))),
            Field::Offset => self.position.map(|number| form.long(signed(number) - 1)),
            Field::Position => self.position.map(|number| form.long(signed(number))),
            Field::Time => self.time.map(|time| match form {
                Form::Binary => form.long(time.as_millis()),
                Form::Text => time.to_string().into_bytes(),
            }),
            Field::TimeType => self.time.map(|_| b"CREATE_TIME".to_vec()),
            Field::Group => text(&self.group),
            Field::Attempts => self.attempts.map(|number| form.int(i64::from(number))),
            Field::ErrorClass => text(&self.error_class),
            Field::Error => text(&self.error),
            Field::Stacktrace => text(&self.stacktrace),
        }
    }

    fn take(&mut self, field: Field, form: Form, value: &[u8]) {
        let text = || Some(String::from_utf8_lossy(value).into_owned());
        let number = || form.number(value);
        match field {
            Field::Topic => self.topic = String::from_utf8_lossy(value).into_owned(),
            Field::Partition => self.partition = number().and_then(|n| n.try_into().ok()),
            Field::Offset => {
                self.position = number().and_then(|n| n.checked_add(1)?.try_into().ok());
            }
            Field::Position => self.position = number().and_then(|n| n.try_into().ok()),
            Field::Time => {
                self.time = match form {
                    Form::Binary => {
                        number().map(|ms| Timestamp::from_micros(ms.saturating_mul(1000)))
                    }
                    Form::Text => std::str::from_utf8(value).ok().and_then(|t| t.parse().ok()),
                };
            }
            Field::TimeType => {}
            Field::Group => self.group = text(),
            Field::Attempts => self.attempts = number().and_then(|n| n.try_into().ok()),
            Field::ErrorClass => self.error_class = text(),
            Field::Error => self.error = text(),
            Field::Stacktrace => self.stacktrace = text(),
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
