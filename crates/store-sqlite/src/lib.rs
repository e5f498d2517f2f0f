//! switchboard-store-sqlite
