//! This machine as a worker: descriptors, certificate authorities, name servers.

use linkbeat_worker::{DEFAULT_CONCURRENCY, Engine, NameServer, SetupError, WorkerSettings, name_servers};

use crate::exit::{Failure, Fault};
use crate::finding::Finding;
use crate::proxies;
use crate::settings::Settings;

pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    let mut worker = settings.worker.clone();
    proxies::of_environment(&mut worker);
    // A worker makes it in the same way, so whatever would stop a worker is found here.
    let mut findings = match Engine::new(&worker) {
        Ok(engine) => vec![
            descriptors(engine.concurrency(), settings.worker.concurrency),
            Finding::ok("certificates", "certificate authorities are there"),
        ],
        Err(error @ SetupError::NoRoots) => {
            let failure = Failure { fault: Fault::Infrastructure, ..error.into() };
            vec![Finding::failure("certificates", failure)]
        }
        Err(error @ SetupError::ExtraCa { .. }) => vec![Finding::failure("certificates", error.into())],
        Err(error) => vec![Finding::failure("worker", error.into())],
    };
    findings.extend(proxy(&worker));
    findings.extend(resolvers(&name_servers(&settings.worker.resolver).await));
    findings
}

fn descriptors(affordable: usize, wanted: usize) -> Finding {
    let limit =
        rlimit::Resource::NOFILE.get_hard().map_or_else(|_| "?".to_owned(), |limit| limit.to_string());
    let text = format!("{limit} open files are allowed: {affordable} of {wanted} links at once");
    if affordable >= wanted {
        return Finding::ok(
            "descriptors",
            format!("{limit} open files are allowed: enough for {wanted} links at once"),
        );
    }
    let remedy = "raise the limit (ulimit -Hn, LimitNOFILE= of systemd, --ulimit nofile of docker)";
    // Nobody asked for the default.
    match wanted == DEFAULT_CONCURRENCY {
        true => Finding::warning("descriptors", text, remedy),
        false => Finding::warning("descriptors", text, format!("{remedy}, or lower --concurrency")),
    }
}

/// Told only where there is one: most have none.
fn proxy(worker: &WorkerSettings) -> Option<Finding> {
    let named = proxies::named(worker);
    let source = if worker.proxy.is_some() { "worker.proxy" } else { "the environment" };
    (!named.is_empty()).then(|| Finding::ok("proxy", format!("sites are fetched over {named}, by {source}")))
}

fn resolvers(servers: &[NameServer]) -> Vec<Finding> {
    let remedy = "see that it runs and lets this machine ask, or name another with --resolver";
    if servers.is_empty() {
        return vec![Finding::problem(
            "resolver",
            "there is no name server to ask",
            "name one with --resolver",
        )];
    }
    let some_answers = servers.iter().any(|server| server.answer.is_ok());
    let finding = |server: &NameServer| match &server.answer {
        Ok(took) => {
            Finding::ok("resolver", format!("{} answers within {} ms", server.address, took.as_millis() + 1))
        }
        Err(cause) => {
            let text = format!("the name server {} is of no use: {cause}", server.address);
            if some_answers {
                Finding::warning("resolver", text, remedy)
            } else {
                Finding::problem("resolver", text, remedy)
            }
        }
    };
    servers.iter().map(finding).collect()
}
