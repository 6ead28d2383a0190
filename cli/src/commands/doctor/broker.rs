//! RabbitMQ: its nodes, linkbeat's queues and exchanges there, and what this user may do with them.

use std::time::Duration;

use linkbeat_broker::{
    BrokerInspection, BrokerItem, BrokerItemKind, BrokerItemState, NodeInspection, inspect_broker,
};

use super::needs::{self, Need};
use super::{Role, Roles};
use crate::commands::servers;
use crate::exit::Failure;
use crate::finding::Finding;
use crate::settings::{BrokerAddress, Settings};

/// How long each step may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// What to do about queues and exchanges that are not there.
const MAKE_THEM: &str = "run `linkbeat migrate` as a user who may configure, or start a role whose user may";

pub(super) async fn examine(settings: &Settings, roles: Roles) -> Vec<Finding> {
    if settings.broker_url == BrokerAddress::Memory && roles.0.is_none() {
        let text =
            "memory://: `linkbeat check` and `linkbeat up` need no broker; a fleet would need RabbitMQ";
        return vec![Finding::ok("broker", text)];
    }
    let role = roles.0.map_or("doctor", Role::as_str);
    let of_each = settings.namespace.all().map(async |namespace| {
        let mut broker = match servers::broker_settings_in(namespace, settings, role) {
            Ok(broker) => broker,
            Err(failure) => return vec![Finding::failure("broker", failure)],
        };
        broker.connect_timeout = broker.connect_timeout.min(PATIENCE);
        findings(&inspect_broker(&broker).await, &namespace.to_string(), roles)
    });
    futures::future::join_all(of_each).await.concat()
}

fn findings(seen: &BrokerInspection, namespace: &str, roles: Roles) -> Vec<Finding> {
    let mut findings: Vec<Finding> = seen.nodes.iter().map(node).collect();
    if seen.items.is_empty() {
        return findings;
    }
    findings.extend(items(&seen.items, namespace));
    findings.extend(roles.each().map(|role| permissions(&seen.items, namespace, role)));
    findings
}

fn node(node: &NodeInspection) -> Finding {
    match &node.session {
        Ok(()) => {
            let version = node.version.as_ref().map_or(String::new(), |version| format!(" {version}"));
            let tls = if node.url.to_string().starts_with("amqps:") { "over TLS" } else { "without TLS" };
            Finding::ok("broker", format!("{} answers, {tls}: RabbitMQ{version}", node.url))
        }
        Err(error) => Finding::failure("broker", Failure::from(error.clone())),
    }
}

/// Queues and exchanges. Where linkbeat has never used the broker, one finding stands for all of them.
fn items(items: &[BrokerItem], namespace: &str) -> Vec<Finding> {
    let ours = || items.iter().filter(|item| short(item, namespace).is_some_and(|name| !name.is_empty()));
    if ours().all(|item| item.state == BrokerItemState::Missing) {
        let text = format!(
            "none of the namespace `{namespace}` yet; `linkbeat migrate` or the first role to start makes them"
        );
        return vec![Finding::ok("queues", text)];
    }
    let (plain, others): (Vec<_>, Vec<_>) = ours().partition(|item| is_plain(item, namespace));
    let in_use = ours().any(|item| is_in_use(item, namespace));
    let mut findings: Vec<Finding> =
        others.into_iter().map(|item| of_item(item, namespace, in_use)).collect();
    findings.push(summarize(&plain));
    findings
}

/// Whether roles run or work waits for them. The dead queue waits for people, and a stream keeps what was read.
fn is_in_use(item: &BrokerItem, namespace: &str) -> bool {
    let works = !matches!(short(item, namespace), None | Some("dead" | "broadcast"));
    matches!(item.state, BrokerItemState::Present { messages, consumers } if works && messages + consumers > 0)
}

/// Exchanges, and queues that messages only pass through, share one finding as long as they are in order.
fn is_plain(item: &BrokerItem, namespace: &str) -> bool {
    let passing =
        short(item, namespace).is_some_and(|name| name == "broadcast" || name.starts_with("delay."));
    let in_order = matches!(item.state, BrokerItemState::Present { .. });
    in_order && (passing || item.kind == BrokerItemKind::Exchange)
}

fn summarize(items: &[&BrokerItem]) -> Finding {
    let exchanges = items.iter().filter(|item| item.kind == BrokerItemKind::Exchange).count();
    let delayed: u32 = items
        .iter()
        .filter(|item| item.name.contains(".delay."))
        .map(|item| match item.state {
            BrokerItemState::Present { messages, .. } => messages,
            _ => 0,
        })
        .sum();
    let others = items.len() - exchanges;
    let text =
        format!("{exchanges} exchanges and {others} queues for delays and broadcasts; {delayed} delayed");
    Finding::ok("exchanges", text)
}

fn of_item(item: &BrokerItem, namespace: &str, in_use: bool) -> Finding {
    let (check, what) = match item.kind {
        BrokerItemKind::Queue => ("queues", "queue"),
        BrokerItemKind::Exchange => ("exchanges", "exchange"),
    };
    let name = &item.name;
    match &item.state {
        BrokerItemState::Missing => {
            Finding::warning(check, format!("the {what} {name} is missing"), MAKE_THEM)
        }
        BrokerItemState::Different(cause) => Finding::problem(
            check,
            format!("the {what} {name} is there, but not as linkbeat makes it: {cause}"),
            migration(item),
        ),
        BrokerItemState::Unclear(cause) => Finding::problem(
            check,
            format!("the {what} {name} could not be looked at: {cause}"),
            "try again; if it stays, look into RabbitMQ's log",
        ),
        BrokerItemState::Present { messages, consumers } if item.kind == BrokerItemKind::Queue => {
            let of_nobody = *consumers == 0 && in_use;
            let consumers = if *consumers == 1 { "1 consumer" } else { &format!("{consumers} consumers") };
            let text = format!("{name}: {messages} waiting, {consumers}");
            of_queue(short(item, namespace).unwrap_or_default(), text, *messages, of_nobody)
        }
        BrokerItemState::Present { .. } => Finding::ok(check, format!("{name} is there")),
    }
}

fn migration(item: &BrokerItem) -> String {
    match item.kind {
        BrokerItemKind::Queue => format!(
            "stop the roles, save what it holds (let it run empty, or move it with a shovel), `rabbitmqctl \
             delete_queue {}`, then start a role, which makes it anew",
            item.name
        ),
        BrokerItemKind::Exchange => {
            format!(
                "stop the roles, delete the exchange {}, then start a role, which makes it anew",
                item.name
            )
        }
    }
}

/// `of_nobody`: the fleet is in use, but nobody consumes this queue.
fn of_queue(short: &str, text: String, messages: u32, of_nobody: bool) -> Finding {
    let remedy = match short {
        "dead" if messages > 0 => {
            return Finding::warning("queues", text, "see what was parked: `linkbeat dead list`");
        }
        "jobs" | "jobs.large" | "suspects" | "isolated" => "start workers: `linkbeat worker`",
        "results" | "results.large" => "start a recorder: `linkbeat recorder`",
        "requests" | "requests.large" => "start a producer: `linkbeat producer`",
        _ => return Finding::ok("queues", text),
    };
    match of_nobody {
        true => Finding::warning("queues", format!("{text}: its role does not run"), remedy),
        false => Finding::ok("queues", text),
    }
}

fn permissions(items: &[BrokerItem], namespace: &str, role: Role) -> Finding {
    let needs = needs::of_broker(role);
    let granted = |need: &Need| granted(need, items, namespace);
    let role = role.as_str();
    let refused: Vec<_> = needs.iter().filter(|need| granted(need) == Some(false)).map(describe).collect();
    if !refused.is_empty() {
        let text = format!("this user is no {role}: it may not {}", refused.join(", "));
        return Finding::problem(
            "permissions",
            text,
            "grant it with `rabbitmqctl set_permissions`, as docs/operations.md says",
        );
    }
    let unknown = needs.iter().filter(|need| granted(need).is_none()).count();
    let missing = items.iter().any(|item| item.state == BrokerItemState::Missing);
    let forbidden = items.iter().any(|item| item.configure == Some(false));
    if missing && forbidden {
        let text = format!("something is missing that a {role} needs, and this user may not make it");
        return Finding::problem("permissions", text, MAKE_THEM);
    }
    match unknown {
        0 => Finding::ok("permissions", format!("this user may do what a {role} does")),
        _ => Finding::ok("permissions", format!("as a {role}: not known before its queues are there")),
    }
}

/// Whether this user has the permission. `None` if that is not known, because a queue or exchange is missing.
fn granted(need: &Need, items: &[BrokerItem], namespace: &str) -> Option<bool> {
    let (Need::Read(name) | Need::Write(name)) = need;
    let named = |item: &&BrokerItem| {
        let rest = short(item, namespace).and_then(|short| short.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || (!name.is_empty() && rest.starts_with('.')))
    };
    let of = |kind| items.iter().filter(move |item| item.kind == kind).filter(named);
    let answers: Vec<Option<bool>> = match need {
        Need::Read(_) => of(BrokerItemKind::Queue).map(|item| item.read).collect(),
        Need::Write(_) => of(BrokerItemKind::Exchange).map(|item| item.write).collect(),
    };
    if answers.contains(&Some(false)) {
        return Some(false);
    }
    (!answers.is_empty() && answers.iter().all(Option::is_some)).then_some(true)
}

fn describe(need: &Need) -> String {
    match need {
        Need::Read(name) => format!("read the queue `{name}`"),
        Need::Write("") => "write to the default exchange".to_owned(),
        Need::Write(name) => format!("write to the exchange `{name}`"),
    }
}

/// The name without the namespace. It is empty for the default exchange.
fn short<'a>(item: &'a BrokerItem, namespace: &str) -> Option<&'a str> {
    if item.name == "amq.default" {
        return Some("");
    }
    item.name.strip_prefix(namespace)?.strip_prefix('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;

    /// The findings about the queues `jobs`, `results` and `dead`. `None`: the queue `dead` is missing.
    fn said(
        jobs: (u32, u32),
        results: (u32, u32),
        dead: Option<u32>,
    ) -> Vec<(State, String, Option<String>)> {
        let queue = |name: &str, state| BrokerItem {
            name: format!("ours.{name}"),
            kind: BrokerItemKind::Queue,
            state,
            configure: None,
            write: None,
            read: None,
        };
        let present = |(messages, consumers)| BrokerItemState::Present { messages, consumers };
        let seen = [
            queue("jobs", present(jobs)),
            queue("results", present(results)),
            queue("dead", dead.map_or(BrokerItemState::Missing, |messages| present((messages, 0)))),
        ];
        let mut said = items(&seen, "ours");
        said.truncate(3);
        said.into_iter().map(|finding| (finding.state, finding.text, finding.remedy)).collect()
    }

    fn states(said: &[(State, String, Option<String>)]) -> Vec<State> {
        said.iter().map(|(state, ..)| *state).collect()
    }

    #[test]
    fn a_queue_that_nobody_consumes_is_told_of_only_where_somebody_should() {
        let resting = said((0, 0), (0, 0), Some(0));
        assert!(resting.iter().all(|(state, ..)| *state == State::Ok), "no role runs: {resting:?}");
        let parked = said((0, 0), (0, 0), Some(3));
        assert_eq!(states(&parked), [State::Ok, State::Ok, State::Warning]);
        let recorder_alone = said((0, 0), (0, 1), Some(0));
        let (state, text, remedy) = &recorder_alone[0];
        assert_eq!(
            (*state, text.as_str()),
            (State::Warning, "ours.jobs: 0 waiting, 0 consumers: its role does not run")
        );
        assert_eq!(remedy.as_deref(), Some("start workers: `linkbeat worker`"));
        assert_eq!(recorder_alone[1].1, "ours.results: 0 waiting, 1 consumer");
        let waiting = said((5, 0), (0, 0), Some(0));
        assert_eq!(states(&waiting), [State::Warning, State::Warning, State::Ok]);
    }

    #[test]
    fn what_is_missing_is_made_by_migrate() {
        let (state, _, remedy) = said((0, 2), (0, 1), None).remove(2);
        assert_eq!((state, remedy.as_deref()), (State::Warning, Some(MAKE_THEM)));
    }
}
