//! Trials that every saga gets for free.
