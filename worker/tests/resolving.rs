//! Names are looked up as glibc does it: servers in order, and a failure counts only after all were asked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use linkbeat_shared::{ConnectKind, DnsKind, Reason, Verdict};
use linkbeat_worker::{Engine, WorkerSettings};
use tokio::net::{TcpSocket, TcpStream};

use crate::site::{Site, nobody, own_address, page};
use crate::{assert_judged, check_with, settings, within};
use linkbeat_testbed::resolver::{Question, Reply, Resolver};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn asking(servers: &[SocketAddr]) -> Engine {
    Engine::new(&WorkerSettings { resolver: servers.to_vec(), ..settings() }).unwrap()
}

/// Every name is at 127.0.0.1.
async fn good() -> Resolver {
    Resolver::that(|question| Some(Reply::addresses(question, &[HOME]))).await
}

async fn site() -> Site {
    Site::answers(page("hello")).await
}

#[tokio::test]
async fn a_bad_server_beside_a_good_one_hides_nothing_in_either_order() {
    let (site, good) = (site().await, good().await);
    type Bad = fn(&Question) -> Option<Reply>;
    let kinds: [(&str, Bad); 7] = [
        ("refuses", |_| Some(Reply::code(ResponseCode::Refused))),
        ("fails", |_| Some(Reply::code(ResponseCode::ServFail))),
        ("denies", |_| Some(Reply::code(ResponseCode::NXDomain))),
        ("denies in the zone's name", |_| Some(Reply::denied("."))),
        ("has nothing", |_| Some(Reply::code(ResponseCode::NoError))),
        ("understands nothing", |_| Some(Reply::code(ResponseCode::FormErr))),
        ("is silent", |_| None),
    ];
    for (kind, answer) in kinds {
        let bad = Resolver::that(answer).await;
        for servers in [[bad.address(), good.address()], [good.address(), bad.address()]] {
            let engine = asking(&servers);
            for number in 0..10 {
                let result =
                    check_with(&engine, &site.url_at(&format!("n{number}.test")), &within(4_000)).await;
                assert_eq!(result.verdict, Some(Verdict::Up), "{kind}: {:?}", result.reason);
            }
        }
        assert!(bad.questions() > 0, "{kind}");
    }
    let engine = asking(&[nobody(), good.address()]);
    assert_judged(&check_with(&engine, &site.url_at("a.test"), &within(4_000)).await, Verdict::Up, None);
}

#[tokio::test]
async fn servers_are_asked_in_order_and_a_silent_one_is_asked_last_for_a_while() {
    let (site, first, second) = (site().await, good().await, good().await);
    let engine = asking(&[first.address(), second.address()]);
    assert_judged(&check_with(&engine, &site.url_at("a.test"), &within(4_000)).await, Verdict::Up, None);
    assert_eq!((first.questions(), second.questions()), (2, 0));
    let silent = Resolver::that(|_| None).await;
    let engine = asking(&[silent.address(), second.address()]);
    for name in ["a.test", "b.test", "c.test"] {
        check_with(&engine, &site.url_at(name), &within(4_000)).await;
    }
    assert_eq!(silent.questions(), 2, "asked for the first name only");
}

#[tokio::test]
async fn one_familys_trouble_never_overrules_the_others_addresses() {
    let site = site().await;
    let late = Duration::from_millis(60);
    type Other = fn(&Question) -> Option<Reply>;
    let kinds: [(&str, Other); 6] = [
        ("denied", |_| Some(Reply::code(ResponseCode::NXDomain))),
        ("denied in the zone's name", |_| Some(Reply::denied("test."))),
        ("failing", |_| Some(Reply::code(ResponseCode::ServFail))),
        ("refused", |_| Some(Reply::code(ResponseCode::Refused))),
        ("unanswered", |_| None),
        ("where nobody is", |question| Some(Reply::addresses(question, &["::1".parse().unwrap()]))),
    ];
    for (kind, other) in kinds {
        let resolver = Resolver::that(move |question| match question.family {
            RecordType::A => Some(Reply::addresses(question, &[HOME]).after(late)),
            _ => other(question),
        })
        .await;
        let result = check_with(&asking(&[resolver.address()]), &site.url_at("a.test"), &within(4_000)).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "AAAA {kind}: {:?}", result.reason);
    }
}

#[tokio::test]
async fn cut_answers_are_asked_for_again_over_tcp() {
    let site = site().await;
    let whole = Resolver::that(|question| match question.tcp {
        true => Some(Reply::addresses(question, &[HOME])),
        false => Some(Reply::code(ResponseCode::NoError).cut()),
    })
    .await;
    let result = check_with(&asking(&[whole.address()]), &site.url_at("a.test"), &within(4_000)).await;
    assert_judged(&result, Verdict::Up, None);
    // What came is used where TCP gives nothing.
    let udp_only = Resolver::that(|question| match question.tcp {
        true => None,
        false => Some(Reply::addresses(question, &[HOME]).cut()),
    })
    .await;
    let result = check_with(&asking(&[udp_only.address()]), &site.url_at("a.test"), &within(6_000)).await;
    assert_judged(&result, Verdict::Up, None);
    // As behind a firewall that drops TCP.
    let hangs = Resolver::that(|question| {
        let reply = Reply::addresses(question, &[HOME]);
        Some(if question.tcp { reply.after(Duration::from_secs(60)) } else { reply.cut() })
    })
    .await;
    let result = check_with(&asking(&[hangs.address()]), &site.url_at("a.test"), &within(6_000)).await;
    assert_judged(&result, Verdict::Up, None);
    // Another server has them whole.
    let nothing =
        Resolver::that(|question| (!question.tcp).then(|| Reply::code(ResponseCode::NoError).cut())).await;
    let engine = asking(&[nothing.address(), whole.address()]);
    assert_judged(&check_with(&engine, &site.url_at("a.test"), &within(6_000)).await, Verdict::Up, None);
}

#[tokio::test]
async fn a_denial_beside_a_failure_counts_in_either_order() {
    let denies = Resolver::that(|question| match question.name.as_str() {
        "" => Some(Reply::root()),
        _ => Some(Reply::denied(".")),
    })
    .await;
    let nxdomain = Reason::Dns { kind: DnsKind::Nxdomain };
    type Bad = fn(&Question) -> Option<Reply>;
    let kinds: [Bad; 3] = [
        |_| Some(Reply::code(ResponseCode::ServFail)),
        |_| Some(Reply::code(ResponseCode::Refused)),
        |_| None,
    ];
    for answer in kinds {
        let bad = Resolver::that(answer).await;
        for servers in [[bad.address(), denies.address()], [denies.address(), bad.address()]] {
            let result =
                check_with(&asking(&servers), &site().await.url_at("gone.test"), &within(8_000)).await;
            assert_judged(&result, Verdict::Down, nxdomain.clone());
        }
    }
}

/// Each server knows a part of the way from a name to its addresses.
#[tokio::test]
async fn aliases_are_followed_where_one_server_knows_the_whole_way() {
    let site = site().await;
    let half = Resolver::that(|question| {
        Some(match question.name.as_str() {
            "a.test" => Reply::code(ResponseCode::NoError).behind_alias("b.test."),
            _ => Reply::code(ResponseCode::ServFail),
        })
    })
    .await;
    let whole = Resolver::that(|question| {
        Some(match question.name.as_str() {
            "a.test" => Reply::code(ResponseCode::NoError).behind_alias("c.test."),
            "b.test" => Reply::code(ResponseCode::NXDomain),
            _ => Reply::addresses(question, &[HOME]),
        })
    })
    .await;
    for servers in [[half.address(), whole.address()], [whole.address(), half.address()]] {
        let result = check_with(&asking(&servers), &site.url_at("a.test"), &within(4_000)).await;
        assert_judged(&result, Verdict::Up, None);
    }
}

#[tokio::test]
async fn servers_that_do_not_know_edns_are_asked_without() {
    let site = site().await;
    let old = Resolver::that(|question| {
        Some(match question.edns {
            true => Reply::code(ResponseCode::FormErr),
            false => Reply::addresses(question, &[HOME]),
        })
    })
    .await;
    let result = check_with(&asking(&[old.address()]), &site.url_at("a.test"), &within(4_000)).await;
    assert_judged(&result, Verdict::Up, None);
}

#[tokio::test]
async fn aliases_are_followed_and_names_may_have_any_letters() {
    let site = site().await;
    let resolver = Resolver::that(|question| {
        let reply = Reply::addresses(question, &[HOME]);
        Some(match question.name.as_str() {
            "in-one.test" => reply.behind_alias("end.test."),
            "step.test" => Reply::code(ResponseCode::NoError).behind_alias("step2.test."),
            "step2.test" => Reply::code(ResponseCode::NoError).behind_alias("End.Test."),
            _ => reply,
        })
    })
    .await;
    let engine = asking(&[resolver.address()]);
    for host in ["in-one.test", "step.test", "-a.test", "a-.test", "_dmarc.a_b.test", "a--b.test", "-.test"] {
        let result = check_with(&engine, &site.url_at(host), &within(4_000)).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "{host}: {:?}", result.reason);
    }
}

/// Keeps an address to which no connection comes about.
struct BlackHole {
    address: SocketAddr,
    _held: (tokio::net::TcpListener, TcpStream),
}

impl BlackHole {
    /// A listener whose queue is full.
    async fn at(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let in_the_queue = TcpStream::connect(address).await.unwrap();
        Self { address, _held: (listener, in_the_queue) }
    }
}

#[tokio::test]
async fn where_the_first_address_does_not_answer_the_next_is_dialled_soon() {
    let site = site().await;
    let port = site.address().port();
    let holes = [
        BlackHole::at(SocketAddr::from((own_address(), port))).await,
        BlackHole::at(SocketAddr::from((own_address(), port))).await,
    ];
    let dead: Vec<IpAddr> = holes.iter().map(|hole| hole.address.ip()).collect();
    for (addresses, most) in [
        (vec![dead[0], HOME], 700),
        (vec![dead[0], dead[1], HOME], 1_000),
        (vec![own_address().into(), HOME], 250),
        (vec![dead[0], "::1".parse().unwrap(), HOME], 1_000),
    ] {
        let told = addresses.clone();
        let resolver = Resolver::that(move |question| Some(Reply::addresses(question, &told))).await;
        let engine = asking(&[resolver.address()]);
        let began = Instant::now();
        let result = check_with(&engine, &site.url_at("a.test"), &within(5_000)).await;
        assert_eq!(result.verdict, Some(Verdict::Up), "{addresses:?}: {:?}", result.reason);
        let took = began.elapsed();
        assert!(took < Duration::from_millis(most + 500), "{addresses:?} took {took:?}");
    }
}

#[tokio::test]
async fn of_many_addresses_only_a_few_are_dialled() {
    let site = site().await;
    let many: Vec<IpAddr> = (0..2_000_u16)
        .map(|number| Ipv4Addr::from([127, 9, (number >> 8) as u8, number as u8]).into())
        .collect();
    let told = [&many[..], &[HOME]].concat();
    let resolver = Resolver::that(move |question| match question.tcp {
        true => Some(Reply::addresses(question, &told)),
        false => Some(Reply::code(ResponseCode::NoError).cut()),
    })
    .await;
    let result = check_with(&asking(&[resolver.address()]), &site.url_at("a.test"), &within(5_000)).await;
    assert_judged(&result, Verdict::Down, Reason::Connect { kind: ConnectKind::Refused });
    assert_eq!(site.visits(), 0);
}

#[tokio::test]
async fn each_address_is_guarded_before_it_is_dialled() {
    let site = site().await;
    let inside = TcpSocket::new_v4().unwrap();
    inside.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, 99), site.address().port()))).unwrap();
    let secret = inside.listen(8).unwrap();
    let hole = BlackHole::at(SocketAddr::from((own_address(), site.address().port()))).await;
    let told = [hole.address.ip(), Ipv4Addr::new(127, 0, 0, 99).into(), HOME];
    let resolver = Resolver::that(move |question| Some(Reply::addresses(question, &told))).await;
    let allowed = ["127.1.0.0/16", "127.0.0.1/32"].map(|network| network.parse().unwrap());
    let settings = WorkerSettings {
        resolver: vec![resolver.address()],
        allow_network: allowed.to_vec(),
        ..WorkerSettings::default()
    };
    let engine = Engine::new(&settings).unwrap();
    assert_judged(&check_with(&engine, &site.url_at("a.test"), &within(5_000)).await, Verdict::Up, None);
    let dialled = tokio::time::timeout(Duration::from_millis(50), secret.accept()).await;
    assert!(dialled.is_err(), "an address that is not allowed was dialled");
}
