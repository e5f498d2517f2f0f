//! Connecting to what is not there, and asking for what was not built.

use switchboard_core::{Retryable, Verdict};
use switchboard_message_kafka::{ConnectError, KafkaBroker, Mechanism, Options, Tls};

#[tokio::test]
async fn tls_without_its_feature_is_refused_by_name() {
    let tls = Options::new("127.0.0.1:1").with_tls(Tls::default());
    let scram = Options::new("127.0.0.1:1").with_sasl(Mechanism::ScramSha512, "ann", "secret");
    for options in [tls, scram] {
        let refused = KafkaBroker::connect(options).await.unwrap_err();
        if cfg!(feature = "kafka-tls") {
            continue;
        }
        assert_eq!(refused.verdict(), Verdict::Terminal);
        assert!(refused.to_string().contains("`kafka-tls`"), "{refused}");
    }
}

#[tokio::test]
async fn a_cluster_that_is_not_there_may_come() {
    // Nothing listens on port 1.
    let refused = KafkaBroker::connect(Options::new("127.0.0.1:1")).await.unwrap_err();
    assert!(
        matches!(&refused, ConnectError::Unreachable { bootstrap, .. } if bootstrap == "127.0.0.1:1")
    );
    assert_eq!(refused.verdict(), Verdict::Retry);
}
