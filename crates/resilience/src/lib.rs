//! switchboard-resilience
