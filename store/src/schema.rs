//! The tables as diesel sees them: one description for both databases.
//!
//! They differ only in how they spell four types, see [`sql`]; `values` holds what these types carry.
//! Columns that only SQL reads (`links.created_at`, …) are left out.

/// The types that the two databases spell differently.
pub(crate) mod sql {
    use diesel::query_builder::QueryId;
    use diesel::sql_types::SqlType;

    /// PostgreSQL: `uuid`; SQLite: a blob of 16 bytes.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 2950, array_oid = 2951))]
    #[diesel(sqlite_type(name = "Binary"))]
    pub struct Id;

    /// PostgreSQL: `uuid[]`; SQLite: a blob, one id after the other.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 2951, array_oid = 0))]
    #[diesel(sqlite_type(name = "Binary"))]
    pub struct Ids;

    /// PostgreSQL: `timestamptz`; SQLite: ISO 8601 text in UTC, of one length.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 1184, array_oid = 1185))]
    #[diesel(sqlite_type(name = "Text"))]
    pub struct Moment;

    /// PostgreSQL: `jsonb`; SQLite: JSON text.
    #[derive(Clone, Copy, SqlType, QueryId)]
    #[diesel(postgres_type(oid = 3802, array_oid = 3807))]
    #[diesel(sqlite_type(name = "Text"))]
    pub struct Document;
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
    use super::sql::{Document, Id, Moment};

    links (id) {
        id -> Id,
        name -> Text,
        url -> Text,
        url_key -> Text,
        host -> Text,
        page_url -> Nullable<Text>,
        group_name -> Nullable<Text>,
        attributes -> Nullable<Document>,
        active -> Bool,
        paused_until -> Nullable<Moment>,
        backlink -> Bool,
        shown -> Bool,
        shown_since -> Moment,
        hidden_reason -> Nullable<Document>,
        verdict -> Nullable<Text>,
        verdict_since -> Nullable<Moment>,
        reason -> Nullable<Document>,
        status -> Nullable<Integer>,
        elapsed_ms -> Nullable<BigInt>,
        details -> Nullable<Document>,
        phases -> Nullable<Text>,
        last_checked_at -> Nullable<Moment>,
        last_run_id -> Nullable<Id>,
        last_run_seq -> BigInt,
        passed_in_a_row -> BigInt,
        failed_in_a_row -> BigInt,
        pin -> Nullable<Text>,
        pin_note -> Nullable<Text>,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::sql::{Id, Moment};

    removed_links (id) {
        id -> Id,
        name -> Text,
        url -> Text,
        removed_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::sql::{Id, Moment};

    // And `reused`, see `Tally`: diesel allows a table 32 columns, and more make it compile much longer.
    runs (id) {
        id -> Id,
        seq -> BigInt,
        request_id -> Id,
        state -> Text,
        check_spec -> Text,
        show_rules -> Text,
        links -> BigInt,
        to_check -> BigInt,
        done -> BigInt,
        parked -> BigInt,
        up -> BigInt,
        down -> BigInt,
        no_backlink -> BigInt,
        blocked -> BigInt,
        refused -> BigInt,
        white_listed -> BigInt,
        to_not_show -> BigInt,
        to_show -> BigInt,
        would_hide -> BigInt,
        would_show -> BigInt,
        hold -> Text,
        known -> BigInt,
        needed -> BigInt,
        reply_queue -> Nullable<Text>,
        correlation_id -> Nullable<Text>,
        traceparent -> Nullable<Text>,
        tracestate -> Nullable<Text>,
        created_at -> Moment,
        finished_at -> Nullable<Moment>,
        announced_at -> Nullable<Moment>,
        claimed_until -> Nullable<Moment>,
        history -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::sql::Id;

    askers (run_id, reply_queue, correlation_id) {
        run_id -> Id,
        reply_queue -> Text,
        correlation_id -> Text,
        lang -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::BigInt;
    use super::sql::{Id, Moment};

    progress (run_id) {
        run_id -> Id,
        done -> BigInt,
        told_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};
    use super::sql::Id;

    alike (run_id, change, reason_type) {
        run_id -> Id,
        change -> Text,
        reason_type -> Text,
        links -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use super::sql::{Id, Ids, Moment};

    jobs (id) {
        id -> Id,
        run_id -> Id,
        kind -> Text,
        state -> Text,
        links -> Ids,
        links_count -> BigInt,
        links_done -> BigInt,
        body -> Nullable<Binary>,
        created_at -> Moment,
        published_at -> Nullable<Moment>,
        due_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::{Integer, Nullable, SmallInt};
    use super::sql::{Document, Id, Moment};

    checks (run_id, link_id) {
        run_id -> Id,
        link_id -> Id,
        checked_at -> Moment,
        elapsed_ms -> Nullable<Integer>,
        status -> Nullable<SmallInt>,
        outcome -> SmallInt,
        reason -> Nullable<Document>,
        details -> Nullable<Document>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, SmallInt};
    use super::sql::{Document, Id};

    proposals (run_id, link_id) {
        run_id -> Id,
        link_id -> Id,
        outcome -> SmallInt,
        details -> Nullable<Document>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use super::sql::{Document, Id, Moment};

    changes (id) {
        id -> BigInt,
        link_id -> Id,
        run_id -> Nullable<Id>,
        at -> Moment,
        was_shown -> Bool,
        shown -> Bool,
        former_verdict -> Nullable<Text>,
        verdict -> Nullable<Text>,
        reason -> Nullable<Document>,
    }
}

diesel::table! {
    use super::sql::{Id, Moment};
    use diesel::sql_types::BigInt;

    api_calls (request_id) {
        request_id -> Id,
        said -> BigInt,
        made_at -> Moment,
    }
}

diesel::table! {
    use super::sql::Id;
    use diesel::sql_types::{Bool, Text};

    run_requests (run_id) {
        run_id -> Id,
        request -> Text,
        listed -> Bool,
    }
}

diesel::table! {
    use super::sql::{Id, Moment};
    use diesel::sql_types::Text;

    leases (name) {
        name -> Text,
        holder -> Id,
        until -> Moment,
    }
}

diesel::table! {
    use super::sql::Id;
    use diesel::sql_types::{Bool, Text};

    parkings (notice_id) {
        notice_id -> Id,
        job_id -> Id,
        parked -> Bool,
        cause -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::sql::{Id, Moment};

    celery_tasks (id) {
        id -> Text,
        request_id -> Id,
        state -> Text,
        card -> Text,
        outcome -> Nullable<Text>,
        due_at -> Moment,
        changed_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::sql::{Document, Id, Moment};

    schedules (id) {
        id -> Id,
        name -> Text,
        definition -> Document,
        request -> Text,
        state -> Text,
        due_at -> Nullable<Moment>,
        begins_at -> Nullable<Moment>,
        last_due_at -> Nullable<Moment>,
        fired -> BigInt,
        by_hand -> BigInt,
        skipped_overlap -> BigInt,
        skipped_missed -> BigInt,
        skipped_paused -> BigInt,
        failed -> BigInt,
        revision -> BigInt,
        created_at -> Moment,
        changed_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::sql::{Id, Moment};

    ticks (schedule_id, due_at) {
        schedule_id -> Id,
        due_at -> Moment,
        outcome -> Text,
        covers -> BigInt,
        run_id -> Nullable<Id>,
        settled_at -> Moment,
    }
}

diesel::table! {
    use super::sql::Id;

    late_checks (link_id, run_id) {
        link_id -> Id,
        run_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::{SmallInt, Text};

    history_zones (id) {
        id -> SmallInt,
        name -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, SmallInt, Text};
    use super::sql::{Id, Moment};

    history_progress (id) {
        id -> SmallInt,
        after -> Id,
        rolled_at -> Nullable<Moment>,
        cleaned_at -> Nullable<Moment>,
        removing -> Nullable<Text>,
        removed -> Nullable<Text>,
        removed_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Date, Integer, Nullable, SmallInt};
    use super::sql::Id;

    link_days (link_id, day, zone) {
        link_id -> Id,
        day -> Date,
        up -> Nullable<Integer>,
        down -> Nullable<Integer>,
        no_backlink -> Nullable<Integer>,
        blocked -> Nullable<Integer>,
        refused -> Nullable<Integer>,
        white_listed -> Nullable<Integer>,
        held_back -> Nullable<Integer>,
        timeouts -> Nullable<Integer>,
        p50_ms -> Nullable<Integer>,
        p95_ms -> Nullable<Integer>,
        zone -> SmallInt,
        latency -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Integer, Nullable};
    use super::sql::Id;

    link_hours (link_id, hour) {
        link_id -> Id,
        hour -> Integer,
        up -> Nullable<Integer>,
        down -> Nullable<Integer>,
        no_backlink -> Nullable<Integer>,
        blocked -> Nullable<Integer>,
        refused -> Nullable<Integer>,
        white_listed -> Nullable<Integer>,
        held_back -> Nullable<Integer>,
        timeouts -> Nullable<Integer>,
        p50_ms -> Nullable<Integer>,
        p95_ms -> Nullable<Integer>,
        latency -> Nullable<Binary>,
    }
}

diesel::table! {
    use diesel::sql_types::{Binary, Text};
    use super::sql::Moment;

    tokens (name) {
        name -> Text,
        hash -> Binary,
        scope -> Text,
        made_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::Binary;
    use super::sql::Moment;

    sessions (hash) {
        hash -> Binary,
        proof -> Binary,
        began_at -> Moment,
        ends_at -> Moment,
    }
}

diesel::joinable!(jobs -> runs (run_id));
diesel::joinable!(checks -> runs (run_id));
diesel::joinable!(link_days -> history_zones (zone));
diesel::allow_tables_to_appear_in_same_query!(jobs, runs);
diesel::allow_tables_to_appear_in_same_query!(progress, runs);
diesel::allow_tables_to_appear_in_same_query!(runs, ticks);
diesel::allow_tables_to_appear_in_same_query!(changes, checks, links, proposals, removed_links);
diesel::allow_tables_to_appear_in_same_query!(links, runs);
diesel::allow_tables_to_appear_in_same_query!(checks, runs, late_checks);
diesel::allow_tables_to_appear_in_same_query!(link_days, history_zones);

diesel::table! {
    /// Where diesel notes the migrations that were applied.
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}
