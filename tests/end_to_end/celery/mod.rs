//! Celery clients, unchanged: the newest Celery from PyPI sends tasks, and linkbeat is the worker.

mod app;
mod backends;
mod calls;
mod following;
mod hostile;
mod monitors;
mod waiting;

use app::App;
