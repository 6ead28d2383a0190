//! URLs in every spelling, and addresses that must not be dialled.

use linkbeat_shared::{BadUrlKind, DnsKind, LinkUrl, Reason};

use super::row::Row;
use super::street::{answering, answering_by_path, named, playing};
use crate::site::{Site, answer, page, redirect};

/// Hosts of URLs, and the address that each of them means.
const UNSAFE: [(&str, &str, &str); 26] = [
    ("dotted", "127.0.0.1", "127.0.0.1"),
    ("decimal", "2130706433", "127.0.0.1"),
    ("hex", "0x7f000001", "127.0.0.1"),
    ("hex in parts", "0x7f.0.0.0x1", "127.0.0.1"),
    ("octal", "0177.0.0.01", "127.0.0.1"),
    ("octal in one", "017700000001", "127.0.0.1"),
    ("short", "127.1", "127.0.0.1"),
    ("full-width digits", "１２７.０.０.１", "127.0.0.1"),
    ("with a trailing dot", "127.0.0.1.", "127.0.0.1"),
    ("by /etc/hosts", "localhost", "127.0.0.1"),
    ("nothing", "0", "0.0.0.0"),
    ("private", "10.1.2.3", "10.1.2.3"),
    ("private in decimal", "3232235777", "192.168.1.1"),
    ("behind a carrier's NAT", "100.64.0.1", "100.64.0.1"),
    ("a cloud's metadata", "169.254.169.254", "169.254.169.254"),
    ("a cloud's inside", "168.63.129.16", "168.63.129.16"),
    ("broadcast", "255.255.255.255", "255.255.255.255"),
    ("multicast", "224.0.0.1", "224.0.0.1"),
    ("IPv6 loopback", "[::1]", "::1"),
    ("IPv6 unspecified", "[::]", "::"),
    ("IPv6 link-local", "[fe80::1]", "fe80::1"),
    ("IPv6 unique local", "[fd00::1]", "fd00::1"),
    ("IPv4 mapped", "[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
    ("mapped in hex", "[::ffff:7f00:1]", "::ffff:127.0.0.1"),
    ("NAT64", "[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
    ("6to4", "[2002:7f00:1::]", "2002:7f00:1::"),
];

fn unsafe_address(address: &str) -> Reason {
    Reason::UnsafeAddress { address: Some(address.to_owned()) }
}

fn url(text: &str) -> LinkUrl {
    LinkUrl::parse(text).unwrap()
}

pub(super) async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (case, host, address) in UNSAFE {
        let inside = answering(page("secret")).await;
        let port = inside.address().port();
        let url = url(&format!("http://{host}:{port}/"));
        let row = Row::new(format!("unsafe address: {case}"), inside).from(url).by_default_rules();
        rows.push(row.refused(unsafe_address(address)));
    }
    rows.extend(ways_inside().await);
    rows.extend(spellings().await);
    rows.extend(look_ups());
    rows
}

/// Names and redirects that lead to an address that is not allowed: only loopback is.
async fn ways_inside() -> Vec<Row> {
    let mixed = answering(page("hello")).await;
    let mixed_url = named(&mixed, "mixed.");
    let inwards = async |case: &str, to: &str, address: &str| {
        Row::new(case, answering(redirect("302 Found", to)).await).refused(unsafe_address(address))
    };
    vec![
        Row::at("a name of a private address", &url("http://inside.test/"))
            .refused(unsafe_address("10.0.0.1")),
        Row::new("a name of a private and a good address", mixed).from(mixed_url),
        inwards("a redirect to a private address", "http://10.0.0.1/", "10.0.0.1").await,
        inwards("a redirect to a name of one", "https://inside.test/", "10.0.0.1").await,
        inwards("a redirect to a mapped one", "http://[::ffff:7f00:1]/", "::ffff:127.0.0.1").await,
        rebinding().await,
    ]
}

/// The name is at the site when first looked up, and inside at the second look: the site sends its visitor
/// to another port of the same name.
async fn rebinding() -> Row {
    let site = playing(|mut visit, _| async move {
        let request = visit.request().await;
        let host = request.to_lowercase().split("host: ").nth(1).unwrap_or_default().to_owned();
        let name = host.split(':').next().unwrap_or_default().to_owned();
        visit.send(redirect("302 Found", &format!("http://{name}:1/"))).await;
    })
    .await;
    let url = named(&site, "rebinding.");
    Row::new("DNS rebinding", site).from(url).refused(unsafe_address("10.0.0.1"))
}

/// Everything that people write and browsers understand.
async fn spellings() -> Vec<Row> {
    let mut rows = Vec::new();
    for (case, prefix, path) in [
        ("an IDN host", "bücher.", "/"),
        ("a punycode host", "xn--bcher-kva.", "/"),
        ("upper case", "WWW.", "/"),
        ("a fragment is not sent", "www.", "/#part"),
        ("userinfo", "me:secret@www.", "/"),
        ("percent-escapes", "www.", "/%E6%97%A5?q=%20"),
        ("letters beyond ASCII", "www.", "/日"),
    ] {
        let site = well_asked().await;
        let port = site.address().port();
        let home = site.address().ip().to_string().replace('.', "-");
        let spelled = url(&format!("http://{prefix}{home}.test:{port}{path}"));
        rows.push(Row::new(format!("URL spelling: {case}"), site).from(spelled));
    }
    let dotted = well_asked().await;
    let trailing = dotted.url_at(&format!("{}.", named(&dotted, "www.").host()));
    rows.push(Row::new("URL spelling: a trailing dot", dotted).from(trailing));
    rows
}

/// Answers 200 only to a request whose target and host are in canonical form.
async fn well_asked() -> Site {
    answering_by_path(|path| match path {
        "/" | "/%E6%97%A5" | "/%E6%97%A5?q=%20" => page("hello"),
        _ => answer("400 Bad Request", &[], ""),
    })
    .await
}

fn look_ups() -> Vec<Row> {
    let row = |name: &str| Row::at(format!("DNS: {name}"), &url(&format!("http://{name}/")));
    let failing = |name, kind| row(name).down(Reason::Dns { kind });
    vec![
        failing("nxdomain.test", DnsKind::Nxdomain),
        failing("servfail.test", DnsKind::Servfail),
        failing("refused.test", DnsKind::Refused),
        failing("empty.test", DnsKind::NoAddress),
        failing("silent.test", DnsKind::Timeout),
        failing("to.test", DnsKind::CnameLoop),
        row(&format!("{}.test", "x".repeat(64))).refused(Reason::BadUrl { kind: BadUrlKind::Host }),
    ]
}
