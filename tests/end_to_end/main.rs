//! End to end: the built binary, real sockets, the real RabbitMQ and PostgreSQL.
//!
//! Rules are tested in both forms, embedded and as a fleet: see [`support::form`]. The servers come from
//! `LINKBEAT_TEST_BROKER_URL` and `LINKBEAT_TEST_DATABASE_URL`, which `scripts/test` provides.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

mod advice;
mod bad_input;
mod browser;
mod cancel;
mod celery;
mod compose;
mod connections;
mod daily;
mod dead;
mod dead_letters_filters;
mod demo;
mod descriptors;
mod details;
mod django;
mod doctor;
mod documented;
mod doors;
mod drain;
mod example_clients;
mod explain;
mod fairness;
mod health;
mod held_back;
mod history;
mod inputs;
mod interruption;
mod json_bad_input;
mod json_requests;
mod language;
mod lists;
mod offline;
mod operator;
mod outbox;
mod outputs;
mod parked;
mod paused;
mod queues;
mod rechecks;
mod reconcilers;
mod requests;
mod reuse;
mod roles;
mod rules;
mod same_outcome;
mod schedules;
mod secrets;
mod standard_error;
mod terminal;
mod units;
mod unreadable;
mod up;
mod workers;
