//! The door for Celery clients: what its user may do on the apps' RabbitMQ, and which command grants the rest.

use std::collections::BTreeSet;

use linkbeat_broker::{Access, BrokerItemKind, BrokerSettings, Namespace, Right, missing_rights};
use linkbeat_producer::CelerySettings;

use super::broker::PATIENCE;
use super::{Role, needs};
use crate::commands::servers;
use crate::exit::Failure;
use crate::finding::Finding;
use crate::settings::Settings;

/// What a check of rights is called.
const CHECK: &str = "celery";

/// What is needed on one RabbitMQ.
struct Place {
    broker: BrokerSettings,
    rights: Vec<Right>,
    /// A producer of this namespace works there, too.
    producer_of: Option<Namespace>,
}

/// Nothing, where no tasks are taken.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    // Without a broker of linkbeat's own there is no producer. Somebody else says so.
    let Ok(ours) = servers::broker_settings(settings, Role::Producer.as_str()) else { return Vec::new() };
    if !settings.celery.is_on() {
        return Vec::new();
    }
    let findings = places(&settings.celery, ours).into_iter().map(finding);
    futures::future::join_all(findings).await
}

fn places(celery: &CelerySettings, ours: BrokerSettings) -> Vec<Place> {
    let theirs = celery.broker(&ours);
    let (rights, of_news) = (celery.rights(), CelerySettings::rights_on_ours(&ours.namespace));
    let producer_of = Some(ours.namespace.clone());
    if theirs.urls == ours.urls {
        let (of_door, mut rights) = (rights, of_news);
        rights.splice(0..0, of_door.into_iter().filter(|right| !right.is_on_temporary_queues()));
        return vec![Place { broker: ours, rights, producer_of }];
    }
    let theirs = Place { broker: theirs, rights, producer_of: None };
    vec![theirs, Place { broker: ours, rights: of_news, producer_of }]
}

async fn finding(mut place: Place) -> Finding {
    place.broker.connect_timeout = place.broker.connect_timeout.min(PATIENCE);
    let server = place.broker.urls.to_string();
    match missing_rights(&place.broker, &place.rights).await {
        Err(error) => Finding::failure(CHECK, Failure::from(error)),
        Ok(missing) if missing.is_empty() => {
            Finding::ok(CHECK, format!("on {server} this user may do what the tasks of Celery clients take"))
        }
        Ok(missing) => {
            let missing: Vec<_> = missing.iter().map(described).collect();
            let text = format!(
                "on {server} this user may not do what the tasks of Celery clients take: {}",
                missing.join(", ")
            );
            let advice = format!("as an administrator: {}", command(&place));
            Finding::problem(CHECK, text, advice)
        }
    }
}

fn described(right: &Right) -> String {
    let access = match right.access {
        Access::Configure => "configure",
        Access::Write => "write to",
        Access::Read => "read",
    };
    let kind = match right.kind {
        BrokerItemKind::Queue => "queue",
        BrokerItemKind::Exchange => "exchange",
    };
    match right.is_on_temporary_queues() {
        true => format!("{access} queues `amq.gen-…`"),
        false => format!("{access} the {kind} `{}`", right.name),
    }
}

/// Grants everything that this user needs there. It takes the place of what was granted before.
fn command(place: &Place) -> String {
    let patterns = [Access::Configure, Access::Write, Access::Read].map(|access| pattern(place, access));
    let [configure, write, read] = patterns;
    let mut urls = place.broker.urls.iter();
    let (user, vhost) = urls.next().map_or(("", "/"), |url| (url.user(), url.vhost()));
    let vhost = if matches!(vhost, "" | "/") { String::new() } else { format!("-p {} ", quoted(vhost)) };
    let (user, configure) = (quoted(user), quoted(&configure));
    format!("rabbitmqctl set_permissions {vhost}{user} {configure} {} {}", quoted(&write), quoted(&read))
}

/// The names that this access is for.
fn pattern(place: &Place, access: Access) -> String {
    let of_door = place.rights.iter().filter(|right| right.access == access).map(|right| {
        if right.is_on_temporary_queues() { r"amq\.gen-.*".to_owned() } else { escaped(&right.name) }
    });
    let of_producer = place.producer_of.iter().flat_map(|namespace| of_producer(namespace, access));
    let names: BTreeSet<String> = of_door.chain(of_producer).collect();
    format!("^({})$", names.into_iter().collect::<Vec<_>>().join("|"))
}

/// What a producer needs without this door, as `docs/operations.md` grants it.
fn of_producer(namespace: &Namespace, access: Access) -> Vec<String> {
    let needs = needs::of_broker(Role::Producer).iter();
    let namespace = escaped(&namespace.to_string());
    needs
        .filter_map(|need| match (need, access) {
            (needs::Need::Read(name), Access::Read) => Some(format!(r"{namespace}\.{}", escaped(name))),
            (needs::Need::Write(""), Access::Write) => Some(r"amq\.default".to_owned()),
            // With all below it.
            (needs::Need::Write(name), Access::Write) => {
                Some(format!(r"{namespace}\.{}(\..*)?", escaped(name)))
            }
            _ => None,
        })
        .collect()
}

/// As a regular expression that matches this name alone.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && !"-_@ ".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// For a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
