//! The conformance suite of brokers.
