//! A SQLite file layer that forgets what was not synced.
