//! The proxies that the environment names, for whoever starts a worker.

use linkbeat_worker::{EnvironmentProxies, WorkerSettings};

/// Fills in the proxies of the environment, and warns of variables that name none which can be used.
pub(crate) fn of_environment(worker: &mut WorkerSettings) {
    let (proxies, bad) = EnvironmentProxies::of_process();
    for variable in bad {
        tracing::warn!(variable = variable.0, "is no http:// or https:// proxy, so it is ignored");
    }
    worker.environment = proxies;
}

/// The proxies in use, without passwords, such as `http://proxy:3128`.
pub(crate) fn named(worker: &WorkerSettings) -> String {
    let explicit = worker.proxy.iter();
    let proxies: Vec<String> = match worker.proxy {
        Some(_) => explicit.map(ToString::to_string).collect(),
        None => worker.environment.all().map(ToString::to_string).collect(),
    };
    proxies.join(" and ")
}
