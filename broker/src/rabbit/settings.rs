//! What a connection to RabbitMQ needs to know: where, as whom, under which names, and how long to wait.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use url::{Host, Url};

use super::tls::{BadBrokerTls, BrokerTls};
use crate::delay::RUNGS;
use crate::{ForeignExchange, Namespace, Queue};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);
/// The server proposes 60 s, with which a dead peer is noticed after two minutes.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How one process uses RabbitMQ.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// The server or the nodes of its cluster, and as whom to log in.
    pub urls: BrokerUrls,
    /// Whom to trust and who we are, where the URLs say `amqps`; default: the system's authorities, nobody.
    pub tls: BrokerTls,
    /// Prefixes every queue and exchange.
    pub namespace: Namespace,
    /// Queues beside those of the table ([`Queue::ALL`] and its kin); they are declared with them. Default: none.
    pub queues: Vec<Queue>,
    /// Exchanges of somebody else that are published to; they are declared with the queues. Default: none.
    pub exchanges: Vec<ForeignExchange>,
    /// Only `queues` and `exchanges` are declared, and nothing of linkbeat's own. Default: no.
    pub only_theirs: bool,
    /// What operators see in RabbitMQ's list of connections, such as `linkbeat worker`.
    pub connection_name: String,
    /// For one try to connect to one node, from name resolution to the end of the AMQP handshake; default 10 s.
    pub connect_timeout: Duration,
    /// From handing a message over to its confirmation; then it is sent again. Default 30 s.
    pub confirm_timeout: Duration,
    /// Asked for in the handshake, in whole seconds, at least one; a dead peer or a consumer that RabbitMQ
    /// has forgotten is noticed after two or three of them. Default: `heartbeat` in the first URL's query,
    /// else 10 s.
    pub heartbeat: Duration,
}

impl BrokerSettings {
    /// Settings with default times.
    pub fn new(urls: BrokerUrls, namespace: Namespace, connection_name: impl Into<String>) -> Self {
        let asked = urls[0].uri.query.heartbeat.filter(|seconds| *seconds > 0);
        Self {
            heartbeat: asked.map_or(HEARTBEAT, |seconds| Duration::from_secs(seconds.into())),
            urls,
            tls: BrokerTls::default(),
            namespace,
            queues: Vec::new(),
            exchanges: Vec::new(),
            only_theirs: false,
            connection_name: connection_name.into(),
            connect_timeout: CONNECT_TIMEOUT,
            confirm_timeout: CONFIRM_TIMEOUT,
        }
    }

    /// All queues that are declared.
    pub(super) fn all_queues(&self) -> impl Iterator<Item = Queue> {
        let rungs = RUNGS.into_iter().map(|rung| rung.queue);
        let ours = Queue::ALL.into_iter().chain(rungs).chain([Queue::BROADCAST]);
        ours.filter(|_| !self.only_theirs).chain(self.queues.iter().cloned())
    }

    /// The queue of this whole name.
    pub(super) fn queue_named(&self, name: &str) -> Option<Queue> {
        self.all_queues().find(|queue| queue.name_in(&self.namespace) == name)
    }

    /// Whether a queue of this whole name is ours: all of the namespace, and those that are declared with it.
    pub(super) fn owns(&self, name: &str) -> bool {
        let in_namespace =
            name.strip_prefix(&self.namespace.to_string()).is_some_and(|rest| rest.starts_with('.'));
        in_namespace || self.queue_named(name).is_some()
    }

    /// Whether the files of [`BrokerTls`] can be used now, to be asked at start: a session that finds them
    /// unusable later is tried again like any other.
    pub fn check_tls(&self) -> Result<(), BadBrokerTls> {
        match self.urls[0].is_encrypted() {
            true => self.tls.config().map(drop),
            false if self.tls.is_empty() => Ok(()),
            false => Err(BadBrokerTls::InTheClear),
        }
    }
}

/// The URLs of one server, or of several nodes of one cluster, separated by commas; at least one. All have
/// the same scheme and virtual host. A comma within a URL is written `%2C`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrls(Vec<BrokerUrl>);

impl Deref for BrokerUrls {
    type Target = [BrokerUrl];

    fn deref(&self) -> &[BrokerUrl] {
        &self.0
    }
}

/// In a virtual host or user name it stands for the namespace.
const NAMESPACE: &str = "{namespace}";

impl BrokerUrls {
    /// Those of one namespace: `{namespace}` in the virtual host and in the user name stands for it.
    #[must_use]
    pub fn of_namespace(&self, namespace: &Namespace) -> Self {
        let mut urls = self.clone();
        for url in &mut urls.0 {
            let name = namespace.to_string();
            url.uri.vhost = url.uri.vhost.replace(NAMESPACE, &name);
            let user = &mut url.uri.authority.userinfo.username;
            *user = user.replace(NAMESPACE, &name);
        }
        urls
    }
}

impl FromStr for BrokerUrls {
    type Err = BadBrokerUrl;

    fn from_str(text: &str) -> Result<Self, BadBrokerUrl> {
        let urls = text.split(',').map(str::parse).collect::<Result<Vec<BrokerUrl>, _>>()?;
        let alike = |other: &BrokerUrl| {
            other.is_encrypted() == urls[0].is_encrypted() && other.vhost() == urls[0].vhost()
        };
        if !urls.iter().all(alike) {
            return Err(BadBrokerUrl::NotOneCluster);
        }
        Ok(Self(urls))
    }
}

impl From<BrokerUrl> for BrokerUrls {
    fn from(url: BrokerUrl) -> Self {
        Self(vec![url])
    }
}

impl fmt::Display for BrokerUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.iter().map(ToString::to_string).collect();
        f.write_str(&urls.join(","))
    }
}

/// `amqp://user:password@host:port/vhost` or `amqps://…`
/// ([the AMQP URI specification](https://www.rabbitmq.com/docs/uri-spec)).
///
/// Defaults: guest, guest, 5672 or 5671, and the virtual host `/`, also when the path is a lone slash
/// (strictly that names the virtual host ``, which nobody means). `Display` and `Debug` leave the
/// user out, so that a password cannot reach a log.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    uri: AMQPUri,
}

/// Why a text is not a [`BrokerUrl`]. Never quotes the text: it may hold a password.
/// [`BadBrokerUrl::advice`] says what to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBrokerUrl {
    /// Not `amqp` or `amqps`.
    #[error("a broker URL begins with amqp:// or amqps://")]
    Scheme,
    /// Nothing to connect to.
    #[error("the broker URL has no host")]
    Host,
    /// Anything else a URL parser refuses.
    #[error("the broker URL is malformed")]
    Malformed,
    /// Several that cannot be nodes of one cluster.
    #[error("several broker URLs must be nodes of one cluster")]
    NotOneCluster,
}

impl BadBrokerUrl {
    /// What to write.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Scheme => "separate several URLs by commas, and write a comma within one as %2C",
            Self::Host => "write it as amqp://user:password@host:5672/",
            Self::Malformed => {
                "write it as amqp://user:password@host:5672/ and percent-encode special characters in the password"
            }
            Self::NotOneCluster => "write all with amqp:// or all with amqps://, and the same virtual host",
        }
    }
}

impl BrokerUrl {
    /// `host:port`, to be shown.
    pub fn address(&self) -> String {
        let authority = &self.uri.authority;
        if authority.host.contains(':') {
            format!("[{}]:{}", authority.host, authority.port)
        } else {
            format!("{}:{}", authority.host, authority.port)
        }
    }

    /// Who connects.
    pub fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        &self.uri.vhost
    }

    /// Whether it says `amqps`.
    pub(super) fn is_encrypted(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    /// What lapin connects by; it holds the password.
    pub(super) fn uri(&self) -> AMQPUri {
        self.uri.clone()
    }
}

impl FromStr for BrokerUrl {
    type Err = BadBrokerUrl;

    fn from_str(text: &str) -> Result<Self, BadBrokerUrl> {
        let url = Url::parse(text.trim()).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => BadBrokerUrl::Scheme,
            url::ParseError::EmptyHost => BadBrokerUrl::Host,
            _ => BadBrokerUrl::Malformed,
        })?;
        if !matches!(url.scheme(), "amqp" | "amqps") {
            return Err(BadBrokerUrl::Scheme);
        }
        let mut uri = AMQPUri::from_str(url.as_str()).map_err(|_| BadBrokerUrl::Malformed)?;
        match url.host() {
            None | Some(Host::Domain("")) => return Err(BadBrokerUrl::Host),
            // The parser knows no IPv6 and would silently take localhost.
            Some(Host::Ipv6(address)) => uri.authority.host = address.to_string(),
            Some(_) => {}
        }
        if uri.vhost.is_empty() {
            uri.vhost = "/".to_owned();
        }
        Ok(Self { uri })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.uri.scheme {
            AMQPScheme::AMQP => "amqp",
            AMQPScheme::AMQPS => "amqps",
        };
        write!(f, "{scheme}://{}/{}", self.address(), self.vhost().trim_start_matches('/'))
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_take_the_usual_defaults() {
        let cases = [
            ("amqp://localhost", "localhost:5672", "/"),
            ("amqp://guest:guest@rabbit:5673/", "rabbit:5673", "/"),
            ("amqp://rabbit/%2f", "rabbit:5672", "/"),
            ("amqp://rabbit//", "rabbit:5672", "/"),
            ("amqps://rabbit/blog", "rabbit:5671", "blog"),
            ("amqp://127.0.0.1/a%20b", "127.0.0.1:5672", "a b"),
            ("amqp://me:secret@[::1]:5672/", "[::1]:5672", "/"),
        ];
        for (text, address, vhost) in cases {
            let url: BrokerUrl = text.parse().unwrap();
            assert_eq!((url.address().as_str(), url.vhost()), (address, vhost), "{text}");
        }
        let url: BrokerUrl = "amqp://[::1]/".parse().unwrap();
        assert_eq!(url.uri().authority.host, "::1");
    }

    #[test]
    fn each_bad_url_says_why_without_quoting_it() {
        let cases = [
            ("localhost", BadBrokerUrl::Scheme),
            ("redis://localhost", BadBrokerUrl::Scheme),
            ("amqp://", BadBrokerUrl::Host),
            ("amqp:///vhost", BadBrokerUrl::Host),
            ("amqp:localhost", BadBrokerUrl::Malformed),
            ("amqp://me:secret@localhost:port", BadBrokerUrl::Malformed),
        ];
        for (text, expected) in cases {
            let error = text.parse::<BrokerUrl>().unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn several_urls_are_nodes_of_one_cluster() {
        let urls: BrokerUrls = "amqp://a/blog, amqp://me:b%2Cc@b:5673/blog".parse().unwrap();
        assert_eq!(urls.iter().map(BrokerUrl::address).collect::<Vec<_>>(), ["a:5672", "b:5673"]);
        assert_eq!(urls[1].uri().authority.userinfo.password, "b,c");
        for (text, expected) in [
            ("amqp://a,amqps://b", BadBrokerUrl::NotOneCluster),
            ("amqp://a/blog,amqp://b/shop", BadBrokerUrl::NotOneCluster),
            ("amqp://a,", BadBrokerUrl::Scheme),
            ("amqp://a,b", BadBrokerUrl::Scheme),
            ("", BadBrokerUrl::Scheme),
        ] {
            assert_eq!(text.parse::<BrokerUrls>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_namespace_may_have_a_virtual_host_and_a_user_of_its_own() {
        let urls: BrokerUrls = "amqp://{namespace}-worker:secret@mq/{namespace}".parse().unwrap();
        let urls = urls.of_namespace(&"blog".parse().unwrap());
        assert_eq!(urls[0].vhost(), "blog");
        assert_eq!(urls[0].uri().authority.userinfo.username, "blog-worker");
        let plain: BrokerUrls = "amqp://me:secret@mq/shared".parse().unwrap();
        assert_eq!(plain.of_namespace(&Namespace::default()), plain);
    }

    #[test]
    fn files_for_encryption_are_looked_at_before_they_are_needed() {
        const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let settings = |url: &str, ca: Option<&str>, certificate: Option<&str>| {
            let mut settings = BrokerSettings::new(url.parse().unwrap(), Namespace::default(), "linkbeat");
            settings.tls.ca = ca.map(Into::into);
            settings.tls.certificate = certificate.map(Into::into);
            settings.check_tls()
        };
        assert_eq!(settings("amqp://rabbit", None, None), Ok(()));
        assert_eq!(settings("amqps://rabbit", None, None), Ok(()));
        assert_eq!(settings("amqp://rabbit", Some("ca.pem"), None), Err(BadBrokerTls::InTheClear));
        assert_eq!(settings("amqps://rabbit", None, Some("me.pem")), Err(BadBrokerTls::Half));
        for (file, problem) in [("/no/such/ca.pem", "No such file"), (MANIFEST, "no certificate")] {
            let error = settings("amqps://rabbit", Some(file), None).unwrap_err().to_string();
            assert!(error.contains(file) && error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let urls: BrokerUrls = "amqps://me:secret@rabbit/blog,amqps://me:secret@hare/blog".parse().unwrap();
        assert_eq!(urls[1].uri().authority.userinfo.password, "secret");
        assert_eq!(urls.to_string(), "amqps://rabbit:5671/blog,amqps://hare:5671/blog");
        let settings = BrokerSettings::new(urls, Namespace::default(), "linkbeat");
        let shown = format!("{settings:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn the_url_may_name_a_heartbeat_but_not_turn_it_off() {
        let heartbeat = |text: &str| {
            BrokerSettings::new(text.parse().unwrap(), Namespace::default(), "linkbeat").heartbeat
        };
        assert_eq!(heartbeat("amqp://rabbit/?heartbeat=20"), Duration::from_secs(20));
        assert_eq!(heartbeat("amqp://rabbit/?heartbeat=0"), HEARTBEAT);
        assert_eq!(heartbeat("amqp://rabbit/"), HEARTBEAT);
    }
}
