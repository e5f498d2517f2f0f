//! switchboard-saga
