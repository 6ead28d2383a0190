//! The permissions that each role needs. `docs/operations.md` grants the same in RabbitMQ, and
//! `docs/database-roles.md` in PostgreSQL.

use super::Role;

/// A permission in RabbitMQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// To take messages from this queue.
    Read(&'static str),
    /// To publish to this exchange and all below it; `""` is the default one.
    Write(&'static str),
}

/// The names are without the namespace. A role need not configure: somebody else may declare.
pub(super) fn of_broker(role: Role) -> &'static [Need] {
    match role {
        Role::Producer => &[
            Need::Read("requests"),
            Need::Read("requests.large"),
            Need::Write("requests"),
            Need::Write("jobs"),
            Need::Write("delay"),
            Need::Write("results"),
            Need::Write("events"),
            Need::Write("dead"),
            Need::Write(""),
        ],
        Role::Worker => &[
            Need::Read("jobs"),
            Need::Read("jobs.large"),
            Need::Read("suspects"),
            Need::Read("isolated"),
            Need::Read("broadcast"),
            Need::Write("results"),
            Need::Write("jobs"),
            Need::Write("suspects"),
            Need::Write("isolated"),
            Need::Write("events"),
            Need::Write("delay"),
            Need::Write("dead"),
        ],
        Role::Recorder => &[
            Need::Read("results"),
            Need::Read("results.large"),
            Need::Write("results"),
            Need::Write("events"),
            Need::Write("broadcast"),
            Need::Write("dead"),
            Need::Write(""),
        ],
    }
}

/// Tables, and the rights on them.
pub(super) fn of_database(role: Role) -> &'static [(&'static str, &'static [&'static str])] {
    const NOTED: (&str, &[&str]) = ("__diesel_schema_migrations", &["SELECT"]);
    match role {
        Role::Producer => &[
            NOTED,
            ("links", &["SELECT", "INSERT", "UPDATE"]),
            ("runs", &["SELECT", "INSERT", "UPDATE"]),
            ("jobs", &["SELECT", "INSERT", "UPDATE"]),
            ("checks", &["SELECT"]),
            ("removed_links", &["SELECT"]),
            ("proposals", &["SELECT", "UPDATE"]),
            ("alike", &["SELECT"]),
            ("changes", &["SELECT", "INSERT"]),
            ("link_days", &["SELECT"]),
            ("link_hours", &["SELECT"]),
            ("late_checks", &["SELECT"]),
            ("history_zones", &["SELECT"]),
            ("history_progress", &["SELECT"]),
            ("checks_partitions", &["SELECT"]),
            ("leases", &["SELECT", "INSERT", "UPDATE"]),
            ("asked", &["SELECT", "INSERT"]),
            ("askers", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
            ("progress", &["SELECT", "INSERT"]),
            ("run_requests", &["SELECT", "INSERT"]),
            ("schedules", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
            ("ticks", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
            ("celery_tasks", &["SELECT", "INSERT", "UPDATE", "DELETE"]),
        ],
        Role::Recorder => &[
            NOTED,
            ("links", &["SELECT", "UPDATE"]),
            ("removed_links", &["SELECT"]),
            ("runs", &["SELECT", "UPDATE"]),
            ("jobs", &["SELECT", "INSERT", "UPDATE"]),
            ("parkings", &["SELECT", "INSERT"]),
            ("checks", &["SELECT", "INSERT"]),
            ("proposals", &["SELECT", "INSERT", "UPDATE"]),
            ("alike", &["SELECT", "INSERT", "UPDATE"]),
            ("checks_partitions", &["SELECT"]),
            ("changes", &["INSERT"]),
            ("leases", &["SELECT", "INSERT", "UPDATE"]),
            ("link_days", &["SELECT", "INSERT", "UPDATE"]),
            ("link_hours", &["SELECT", "INSERT", "UPDATE"]),
            ("late_checks", &["SELECT", "INSERT", "DELETE"]),
            ("history_zones", &["SELECT", "INSERT"]),
            ("history_progress", &["SELECT", "UPDATE"]),
            ("askers", &["SELECT"]),
            ("progress", &["SELECT", "UPDATE", "DELETE"]),
            ("make_checks_partitions()", &["EXECUTE"]),
            ("drop_checks_partition()", &["EXECUTE"]),
            ("clean_dropped_runs()", &["EXECUTE"]),
            ("delete_old_runs()", &["EXECUTE"]),
            ("delete_old_hours()", &["EXECUTE"]),
        ],
        Role::Worker => &[],
    }
}
