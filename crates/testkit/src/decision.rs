//! Given these events, when this is decided, then that follows.
