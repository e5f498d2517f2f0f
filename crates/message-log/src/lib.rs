//! switchboard-message-log
