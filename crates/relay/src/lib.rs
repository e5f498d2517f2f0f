//! switchboard-relay
