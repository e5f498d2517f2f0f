//! What things are called on the server.
//!
//! | thing | name |
//! |---|---|
//! | topic | direct exchange `topic` |
//! | partition of a group | queue `group:topic:partition`, bound with the partition's number |
//! | dead letters of a group | exchange and queue `group:topic.dead` |
//! | what no group wanted | queue `switchboard.unrouted`, behind exchanges `switchboard.unrouted.N` |
//!
//! A topic's name has no colon, so a queue's name says from the right which partition of which
//! topic it is, whatever the group is called. With dots between them, group `a` on topic `b.c` and
//! group `a.b` on topic `c` would share a queue and take each other's messages.

use lapin::types::ShortString;
use switchboard_core::Name;

/// Where messages are kept that no group wanted.
pub const UNROUTED: &str = "switchboard.unrouted";
/// Topics may not begin like this: their exchanges would be ours.
pub(crate) const RESERVED: &str = "switchboard.";
/// What AMQP can say in a short string.
pub(crate) const MAX: usize = 255;

/// The queue of one partition of a group.
pub(crate) fn queue(group: &str, topic: &str, partition: u32) -> String {
    format!("{group}:{topic}:{partition}")
}

/// The exchange and the queue of a group's dead letters.
pub(crate) fn dead(group: &str, topic: &str) -> String {
    format!("{group}:{topic}.dead")
}

/// The alternate exchange of a topic with this many partitions.
///
/// It says how many, because it is the one property of an exchange that the server compares when
/// it is declared again: a second service with another count is refused by the server itself.
pub(crate) fn unrouted(partitions: u32) -> String {
    format!("{UNROUTED}.{partitions}")
}

/// The partition count in what the server says about an exchange that exists with another one:
/// `... received 'switchboard.unrouted.8' but current is 'switchboard.unrouted.4'`.
pub(crate) fn partitions_in(text: &str) -> Option<u32> {
    let (_, current) = text.rsplit_once("current is")?;
    let (_, rest) = current.split_once(&format!("{UNROUTED}."))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A name that is known to fit; one that does not becomes an empty one, which no request accepts.
pub(crate) fn short(name: impl Into<String>) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}

/// Whether a group may be called like this on these topics.
pub(crate) fn check_group(group: &Name, topic: &Name) -> Result<(), String> {
    let longest = queue(group, topic, 255).len();
    if group.is_empty() || group.starts_with("amq.") || longest > MAX {
        return Err(format!(
            "`{group}` cannot be a group on `{topic}`: its queues' names have to be of up to {MAX} \
             bytes that do not begin with `amq.`"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_groups_share_a_queue() {
        assert_ne!(queue("a", "b.c", 0), queue("a.b", "c", 0));
        assert_ne!(queue("a:b", "c", 0), queue("a", "b-c", 0));
        assert_ne!(dead("a", "b"), queue("a", "b.dead", 0));
    }

    #[test]
    fn the_servers_answer_tells_the_partition_count() {
        let answer = "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' \
            in vhost '/': received 'switchboard.unrouted.8' but current is 'switchboard.unrouted.4'";
        assert_eq!(partitions_in(answer), Some(4));
        let none = "... received 'switchboard.unrouted.8' but current is none";
        assert_eq!(partitions_in(none), None);
        let typed = "received the value 'switchboard.unrouted.8' of type 'longstr' but current is \
            the value 'switchboard.unrouted.16' of type 'longstr'";
        assert_eq!(partitions_in(typed), Some(16));
    }

    #[test]
    fn long_names_are_refused_before_the_server_sees_them() {
        assert!(check_group(&"g".into(), &"t".into()).is_ok());
        assert!(check_group(&"".into(), &"t".into()).is_err());
        assert!(check_group(&"amq.g".into(), &"t".into()).is_err());
        assert!(check_group(&"g".into(), &"t".repeat(249).into()).is_ok());
        assert!(check_group(&"group".into(), &"t".repeat(249).into()).is_err());
    }
}
