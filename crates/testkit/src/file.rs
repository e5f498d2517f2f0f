//! Files that tear, forget, fail and fill up.
