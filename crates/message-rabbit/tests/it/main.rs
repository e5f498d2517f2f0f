//! What can be said without a server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use switchboard_core::{Retryable, Verdict};
use switchboard_message_rabbit::{ConnectError, Options, RabbitBroker};

#[test]
fn an_address_that_cannot_be_read_is_refused() {
    for url in ["", "localhost", "http://localhost", "amqp://localhost:port"] {
        let error = Options::from_url(url).unwrap_err();
        assert!(matches!(error, ConnectError::Url(_)), "{url}: {error}");
        assert_eq!(error.verdict(), Verdict::Terminal);
    }
}

#[cfg(not(feature = "rabbit-tls"))]
#[test]
fn tls_without_its_feature_names_the_feature() {
    let error = Options::from_url("amqps://localhost/%2f").unwrap_err();
    assert!(error.to_string().contains("rabbit-tls"), "{error}");
}

#[test]
fn a_password_is_never_shown() {
    let options = Options::from_url("amqp://me:secret@localhost:5672/%2f").unwrap();
    assert!(!format!("{options:?}").contains("secret"));
}

#[tokio::test]
async fn where_nobody_listens_is_said() {
    let options = Options::from_url("amqp://guest:guest@127.0.0.1:1/%2f").unwrap();
    let connecting = RabbitBroker::connect(options);
    let error = tokio::time::timeout(Duration::from_secs(20), connecting).await.unwrap();
    let error = error.unwrap_err();
    assert!(matches!(&error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1"));
    assert_eq!(error.verdict(), Verdict::Retry);
}
