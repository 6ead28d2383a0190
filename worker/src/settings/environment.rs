use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

use super::proxy::ProxyUrl;

/// The proxies that the environment names, as curl reads it: `http_proxy`, `https_proxy`, `all_proxy` and
/// `no_proxy`, in lower or upper case.
///
/// `HTTP_PROXY` in upper case does not count in a CGI program (where `REQUEST_METHOD` is set): there a visitor can
/// set it by the header `Proxy` (httpoxy.org).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentProxies {
    // In boxes: settings are handed on by value, and most have none.
    http: Option<Box<ProxyUrl>>,
    https: Option<Box<ProxyUrl>>,
    direct: Box<[Direct]>,
}

/// Hosts that are asked without a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Direct {
    All,
    /// Addresses, perhaps at one port only.
    Network(IpNet, Option<u16>),
    /// A domain and everything below it, perhaps at one port only.
    Domain(String, Option<u16>),
}

/// A variable that names no proxy which linkbeat can use. It is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadVariable(pub String);

impl EnvironmentProxies {
    /// Reads the variables of this process.
    pub fn of_process() -> (Self, Vec<BadVariable>) {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads variables, and says which could not be used.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> (Self, Vec<BadVariable>) {
        let mut bad = Vec::new();
        let mut proxy = |names: &[&str]| {
            let set =
                names.iter().find_map(|name| Some((name, variable(name).filter(|text| !text.is_empty())?)));
            let (name, text) = set?;
            let proxy = if text.contains("://") { text.parse() } else { format!("http://{text}").parse() };
            proxy.map(Box::new).map_err(|_| bad.push(BadVariable((*name).to_owned()))).ok()
        };
        let all = proxy(&["all_proxy", "ALL_PROXY"]);
        let cgi = variable("REQUEST_METHOD").is_some();
        let http = proxy(if cgi { &["http_proxy"] } else { &["http_proxy", "HTTP_PROXY"] }).or(all.clone());
        let https = proxy(&["https_proxy", "HTTPS_PROXY"]).or(all);
        let direct = variable("no_proxy").or_else(|| variable("NO_PROXY")).unwrap_or_default();
        let direct =
            direct.split(|c: char| c == ',' || c.is_whitespace()).filter_map(Direct::parse).collect();
        (Self { http, https, direct }, bad)
    }

    /// The proxy for this URL.
    pub(crate) fn proxy_for(&self, url: &Url) -> Option<&ProxyUrl> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_deref().filter(|_| !self.direct.iter().any(|direct| direct.covers(url)))
    }

    /// All proxies that may be used, each once.
    pub fn all(&self) -> impl Iterator<Item = &ProxyUrl> {
        let https = self.https.as_deref().filter(|https| Some(*https) != self.http.as_deref());
        self.http.as_deref().into_iter().chain(https)
    }

    /// Whether it names no proxy.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

impl Direct {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(Self::All);
        }
        // `::1` is an address without a port.
        if let Some(network) = network(text) {
            return Some(Self::Network(network, None));
        }
        let (domain, port) = match text.rsplit_once(':') {
            Some((domain, port)) => (domain, port.parse().ok()),
            None => (text, None),
        };
        if let Some(network) = network(domain) {
            return Some(Self::Network(network, port));
        }
        let domain = domain.trim_start_matches("*.").trim_matches('.').to_ascii_lowercase();
        (!domain.is_empty()).then_some(Self::Domain(domain, port))
    }

    fn covers(&self, url: &Url) -> bool {
        let is_port = |port: &Option<u16>| port.is_none() || *port == url.port_or_known_default();
        match (self, url.host()) {
            (Self::All, _) => true,
            (Self::Network(network, port), Some(Host::Ipv4(address))) => {
                network.contains(&IpAddr::from(address)) && is_port(port)
            }
            (Self::Network(network, port), Some(Host::Ipv6(address))) => {
                network.contains(&IpAddr::from(address)) && is_port(port)
            }
            (Self::Domain(domain, port), Some(Host::Domain(host))) => {
                let below = host.trim_end_matches('.').strip_suffix(domain.as_str());
                below.is_some_and(|below| below.is_empty() || below.ends_with('.')) && is_port(port)
            }
            _ => false,
        }
    }
}

/// A network, or an address, which may stand in brackets.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    text.parse().ok().or_else(|| address().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (EnvironmentProxies, Vec<BadVariable>) {
        EnvironmentProxies::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy_for(variables: &[(&str, &str)], url: &str) -> Option<String> {
        read(variables).0.proxy_for(&Url::parse(url).unwrap()).map(ToString::to_string)
    }

    #[test]
    fn each_scheme_has_its_variable_and_small_letters_go_first() {
        let variables = [("http_proxy", "http://a:1"), ("HTTP_PROXY", "http://b:1"), ("HTTPS_PROXY", "c:2")];
        assert_eq!(proxy_for(&variables, "http://x.test/").as_deref(), Some("http://a:1"));
        assert_eq!(proxy_for(&variables, "https://x.test/").as_deref(), Some("http://c:2"));
        let all = [("ALL_PROXY", "http://d:3"), ("https_proxy", "")];
        assert_eq!(proxy_for(&all, "https://x.test/").as_deref(), Some("http://d:3"));
        assert_eq!(proxy_for(&[], "https://x.test/"), None);
        assert!(read(&[]).0.is_empty());
    }

    #[test]
    fn a_cgi_program_takes_no_proxy_from_its_visitor() {
        let variables = [("HTTP_PROXY", "http://evil:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(proxy_for(&variables, "http://x.test/"), None);
    }

    #[test]
    fn no_proxy_lists_domains_addresses_and_networks() {
        for (list, url, direct) in [
            ("*", "http://x.test/", true),
            ("x.test", "http://x.test/", true),
            (".x.test", "http://www.X.test/", true),
            ("*.x.test, other", "http://www.x.test/", true),
            ("x.test", "http://notx.test/", false),
            ("x.test:8080", "http://x.test/", false),
            ("x.test:80", "http://x.test/", true),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.1.2.3", "http://10.1.2.3:81/", true),
            ("::1", "http://[::1]/", true),
            ("[::1]", "http://[::1]:81/", true),
            ("[::1]:81", "http://[::1]:81/", true),
            ("[::1]:81", "http://[::1]/", false),
            ("2001:db8::/32", "http://[2001:db8:1::2]/", true),
            ("10.1.2.3:81", "http://10.1.2.3:81/", true),
            ("10.1.2.3:81", "http://10.1.2.3/", false),
            ("x.test.", "http://x.test/", true),
            ("x.test", "http://x.test./", true),
            ("y.test\tx.test", "http://x.test/", true),
            ("test", "http://x.test/", true),
            ("10.0.0.0/8", "http://x.test/", false),
            ("", "http://x.test/", false),
        ] {
            let variables = [("http_proxy", "http://a:1"), ("no_proxy", list)];
            assert_eq!(proxy_for(&variables, url).is_none(), direct, "{list}: {url}");
        }
    }

    #[test]
    fn what_is_no_http_proxy_is_named_and_ignored() {
        let (proxies, bad) = read(&[("all_proxy", "socks5://me:secret@a:1")]);
        assert!(proxies.is_empty());
        assert_eq!(bad, [BadVariable("all_proxy".to_owned())]);
    }
}
