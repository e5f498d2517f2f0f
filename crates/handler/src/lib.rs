//! switchboard-handler
