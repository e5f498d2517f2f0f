//! Which message it was that made the server close the channel.
//!
//! The server closes a channel for one message (its exchange is gone, it is larger than the server
//! takes), and everything under way goes down with it. So what was under way is sent again one at
//! a time: the next one that closes the channel alone is the culprit, and only it is answered.

use std::time::Duration;

use switchboard_message::PublishError;
use tokio::time::Instant;

use super::{Task, unknown_exchange};
use crate::error::Meaning;

/// Whatever is missing is declared again at most this often.
const REBUILD: Duration = Duration::from_secs(1);

impl Task {
    /// Call it before what was under way is taken back.
    pub(super) fn settle_lost(&mut self, error: &lapin::Error) {
        let meaning = Meaning::of(error);
        if meaning == Meaning::Away {
            return;
        }
        let Some(culprit) = self.window.alone() else {
            self.window.careful = self.window.unconfirmed();
            return;
        };
        let message = &culprit.message;
        if meaning == Meaning::NotFound {
            // The next channel declares everything once more; if that did not help, give up.
            let now = Instant::now();
            if self.rebuilt.is_none_or(|at| now - at > REBUILD) {
                self.rebuilt = Some(now);
                self.window.put_back(culprit);
                return;
            }
        }
        let answer = match meaning {
            Meaning::NotFound => {
                self.layouts.forget(message.exchange.as_str());
                unknown_exchange(message.exchange.as_str(), message.is_topic)
            }
            _ => PublishError::Refused(Box::new(error.clone())),
        };
        self.window.careful -= 1;
        self.window.reply(&culprit, Err(answer));
    }
}
