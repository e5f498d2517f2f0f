//! The log's promises, each held by a test that is named after it.

mod crash;
