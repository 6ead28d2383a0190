//! Encrypted sessions with a RabbitMQ that takes only clients it knows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use linkbeat_broker::{
    BrokerSettings, BrokerTls, ConnectError, Message, Namespace, Queue, RabbitBroker, SharedBroker, Target,
};
use linkbeat_testbed::servers::PrivateServers;
use tokio::time::timeout;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_is_trusted_gets_a_session() {
    let servers = PrivateServers::start("make_certificates start_rabbitmq");
    our_authority_and_certificate_open_a_session(&servers).await;
    each_distrust_is_told_apart(&servers).await;
    renewed_files_are_used(&servers).await;
}

async fn our_authority_and_certificate_open_a_session(servers: &PrivateServers) {
    let broker: SharedBroker =
        timeout(SOON, RabbitBroker::connect(settings(servers))).await.unwrap().unwrap();
    carries_messages(&broker).await;
    broker.close().await;
}

async fn each_distrust_is_told_apart(servers: &PrivateServers) {
    let with = |change: &dyn Fn(&mut BrokerSettings)| {
        let mut settings = settings(servers);
        change(&mut settings);
        settings
    };
    let unknown = "no authority that we trust vouches for its certificate";
    assert_eq!(distrust(with(&|settings| settings.tls.ca = None)).await, unknown);
    let stranger = servers.certificate("stranger.pem");
    assert_eq!(distrust(with(&|settings| settings.tls.ca = Some(stranger.clone()))).await, unknown);
    let by_address = servers.get("BROKER_TLS_URL").replace("localhost", "127.0.0.1");
    let cause = distrust(with(&|settings| settings.urls = by_address.parse().unwrap())).await;
    assert!(cause.contains("127.0.0.1"), "{cause}");
    let cause = distrust(with(&|settings| (settings.tls.certificate, settings.tls.key) = (None, None))).await;
    assert!(cause.contains("client certificate"), "{cause}");
    let as_stranger = with(&|settings| {
        settings.tls.certificate = Some(stranger.clone());
        settings.tls.key = Some(servers.certificate("stranger.key"));
    });
    let cause = distrust(as_stranger).await;
    // The end of the connection may overtake the verdict.
    assert!(cause.contains("it refused ours") || cause.contains("client certificate"), "{cause}");
    let unencrypted = servers.get("BROKER_URL").replace("amqp:", "amqps:");
    let cause = distrust(with(&|settings| settings.urls = unencrypted.parse().unwrap())).await;
    assert!(cause.contains("does not speak TLS"), "{cause}");
}

async fn distrust(settings: BrokerSettings) -> String {
    let error = timeout(SOON, RabbitBroker::connect(settings)).await.expect("in time").unwrap_err();
    match error {
        ConnectError::Untrusted { cause, .. } => cause,
        error => panic!("{error:?}"),
    }
}

async fn renewed_files_are_used(servers: &PrivateServers) {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let put = |file: &str| std::fs::copy(servers.certificate(file), &ca).unwrap();
    put("stranger.pem");
    let mut settings = settings(servers);
    settings.tls.ca = Some(ca.clone());
    let broker: SharedBroker = RabbitBroker::new(settings);
    let jobs = Target::Queue(Queue::JOBS);
    let publishing = timeout(Duration::from_secs(1), broker.publish(&jobs, message("a")));
    assert!(publishing.await.is_err() && !broker.ready());
    put("ca.pem");
    carries_messages(&broker).await;
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusable_files_are_told_of_before_anybody_is_asked() {
    // Nobody listens on port 1.
    let settings = |tls| {
        let urls = "amqps://localhost:1".parse().unwrap();
        BrokerSettings { tls, ..BrokerSettings::new(urls, Namespace::default(), "linkbeat test") }
    };
    let missing = BrokerTls { ca: Some("/no/such/ca.pem".into()), ..BrokerTls::default() };
    let error = settings(missing.clone()).check_tls().unwrap_err();
    assert!(error.to_string().contains("/no/such/ca.pem"), "{error}");
    assert_eq!(RabbitBroker::connect(settings(missing)).await.unwrap_err(), ConnectError::Tls(error));
}

async fn carries_messages(broker: &SharedBroker) {
    let mut reader = broker.subscribe(&Queue::JOBS, 1).await.unwrap();
    let body = Uuid::now_v7().to_string();
    let jobs = Target::Queue(Queue::JOBS);
    let publishing = timeout(SOON, broker.publish(&jobs, message(&body)));
    publishing.await.expect("published in time").unwrap();
    let until_it_comes = async {
        loop {
            let delivery = reader.next().await.unwrap();
            let came = delivery.message.body == body;
            delivery.ack().await.unwrap();
            if came {
                break;
            }
        }
    };
    timeout(SOON, until_it_comes).await.expect("it comes");
}

fn settings(servers: &PrivateServers) -> BrokerSettings {
    let urls = servers.get("BROKER_TLS_URL").parse().unwrap();
    let file = |name| Some(servers.certificate(name));
    let tls = BrokerTls { ca: file("ca.pem"), certificate: file("client.pem"), key: file("client.key") };
    BrokerSettings { tls, ..BrokerSettings::new(urls, Namespace::default(), "linkbeat test") }
}

fn message(body: &str) -> Message {
    Message::new(Uuid::now_v7(), body.to_owned())
}
