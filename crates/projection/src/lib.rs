//! switchboard-projection
