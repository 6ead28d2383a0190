//! Celery clients, unchanged: the newest Celery from PyPI sends tasks, and linkbeat is the worker.

mod app;
mod calls;

use app::App;
