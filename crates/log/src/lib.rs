//! switchboard-log
