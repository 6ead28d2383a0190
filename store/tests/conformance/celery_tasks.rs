//! Tasks of Celery clients.

use std::sync::Arc;
use std::time::Duration;

use linkbeat_shared::{LinkSelection, Run, derived_id};
use linkbeat_store::{
    Account, CeleryTask, FiledTask, NewRun, NewTask, OpenJobs, SharedStore, StoreError, TaskChange, TaskState,
};

use crate::database::TestDatabase;
use crate::make::{self, file, links, new_run};

cases![
    a_task_is_kept_once_and_changed_from_the_state_it_is_in,
    waiting_tasks_are_claimed_by_one_when_they_are_due,
    a_running_task_has_ended_when_its_run_has,
    old_tasks_are_forgotten,
    a_task_and_its_run_are_kept_together_or_not_at_all,
];

const HOLD: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3_600);

fn task(id: &str, state: TaskState, due_in: Duration) -> NewTask {
    let (request_id, card) = (derived_id::celery_request(id), "{}\0".to_owned());
    NewTask { id: id.to_owned(), request_id, state, card, outcome: None, due_in }
}

async fn keep(store: &SharedStore, id: &str, state: TaskState) {
    assert_eq!(store.take_task(task(id, state, Duration::ZERO)).await.unwrap(), None, "it is new");
}

async fn file_run_of(store: &SharedStore, task: &str) -> Run {
    let run =
        NewRun { request_id: derived_id::celery_request(task), ..new_run(LinkSelection::given(links(1))) };
    file(store, run, 1).await.0.run
}

fn ids(tasks: &[CeleryTask]) -> Vec<&str> {
    let mut ids: Vec<_> = tasks.iter().map(|task| task.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

async fn a_task_is_kept_once_and_changed_from_the_state_it_is_in(database: Arc<TestDatabase>) {
    let store = database.open().await;
    keep(&store, "a", TaskState::Waiting).await;
    let known = store.take_task(task("a", TaskState::Running, HOUR)).await.unwrap().unwrap();
    assert_eq!((known.state, known.card.as_str(), known.run), (TaskState::Waiting, "{}", None));
    let change = TaskChange { outcome: Some("1".to_owned()), ..TaskChange::to(TaskState::Ended) };
    assert!(!store.change_task("a", &[TaskState::Running], change.clone()).await.unwrap());
    assert!(!store.change_task("b", &[TaskState::Waiting], change.clone()).await.unwrap());
    assert!(store.change_task("a", &[TaskState::Running, TaskState::Waiting], change).await.unwrap());
    let change = TaskChange { card: Some("2".to_owned()), ..TaskChange::to(TaskState::Ended) };
    assert!(store.change_task("a", &[TaskState::Ended], change).await.unwrap());
    let change =
        |card: &str| TaskChange { if_card: Some(card.to_owned()), ..TaskChange::to(TaskState::Ended) };
    assert!(
        !store.change_task("a", &[TaskState::Ended], change("1")).await.unwrap(),
        "somebody else was faster"
    );
    assert!(store.change_task("a", &[TaskState::Ended], change("2")).await.unwrap());
    let changed = store.find_tasks(&["a".to_owned(), "b".to_owned()]).await.unwrap();
    assert_eq!(ids(&changed), ["a"]);
    assert_eq!((changed[0].card.as_str(), changed[0].outcome.as_deref()), ("2", Some("1")), "the rest stays");
    assert_eq!(store.count_tasks(TaskState::Ended).await.unwrap(), 1);
    assert_eq!(ids(&store.tasks_in(TaskState::Ended, 10).await.unwrap()), ["a"]);
}

async fn a_task_and_its_run_are_kept_together_or_not_at_all(database: Arc<TestDatabase>) {
    let store = database.open().await;
    let file_of = async |task: NewTask, account: Option<Account>| {
        let run = NewRun { request_id: task.request_id, ..new_run(LinkSelection::given(links(2))) };
        let (planner, _) = make::planner(1);
        store.file_task(task, run, planner, account.as_ref()).await
    };
    let new = |id: &str| task(id, TaskState::Running, Duration::ZERO);
    for id in ["a", "b"] {
        // The second time the links are stored as they are given.
        let filed = file_of(new(id), None).await.unwrap();
        let FiledTask::New(filed) = filed else { panic!("{filed:?}") };
        assert_eq!((filed.existed, filed.run.links), (false, 2));
        let kept = store.find_tasks(&[id.to_owned()]).await.unwrap();
        assert_eq!((kept[0].state, kept[0].run), (TaskState::Running, Some(filed.run.id)));
        assert_eq!(store.open_jobs(OpenJobs::OfRun(filed.run.id), None, 10).await.unwrap().len(), 2);
    }
    keep(&store, "revoked", TaskState::Revoked).await;
    for (id, state) in [("a", TaskState::Running), ("revoked", TaskState::Revoked)] {
        let known = file_of(new(id), None).await.unwrap();
        assert!(matches!(&known, FiledTask::Known(task) if task.state == state), "{known:?}");
    }
    assert_eq!(store.run_of(derived_id::celery_request("revoked")).await.unwrap().map(|run| run.id), None);
    let account = Account { name: "blog".to_owned(), runs_at_once: None, links_a_day: Some(1) };
    assert!(matches!(file_of(new("much"), Some(account)).await, Err(StoreError::OverLimit(_))));
    assert_eq!(store.find_tasks(&["much".to_owned()]).await.unwrap(), [], "nothing of it is kept");
}

async fn waiting_tasks_are_claimed_by_one_when_they_are_due(database: Arc<TestDatabase>) {
    let (store, other) = (database.open().await, database.open().await);
    assert_eq!(store.next_task().await.unwrap(), None);
    for id in ["a", "b", "c"] {
        keep(&store, id, TaskState::Waiting).await;
    }
    keep(&store, "running", TaskState::Running).await;
    store.take_task(task("later", TaskState::Waiting, HOUR)).await.unwrap();
    assert_eq!(store.next_task().await.unwrap(), Some(Duration::ZERO));
    let (some, rest) = tokio::join!(store.due_tasks(2, HOLD), other.due_tasks(10, HOLD));
    let (some, rest) = (some.unwrap(), rest.unwrap());
    let more = store.due_tasks(10, HOLD).await.unwrap();
    let claimed = [some, rest, more].concat();
    assert_eq!(ids(&claimed), ["a", "b", "c"], "each once");
    let next = store.next_task().await.unwrap().unwrap();
    assert!(next > HOLD / 2 && next <= HOLD, "{next:?}");
}

async fn a_running_task_has_ended_when_its_run_has(database: Arc<TestDatabase>) {
    let store = database.open().await;
    for id in ["runs", "ends", "not filed"] {
        keep(&store, id, TaskState::Running).await;
    }
    keep(&store, "by itself", TaskState::Ended).await;
    file_run_of(&store, "runs").await;
    let run = file_run_of(&store, "ends").await;
    store.cancel_run(run.id).await.unwrap();
    let ended = store.ended_tasks(10, HOLD).await.unwrap();
    assert_eq!(ids(&ended), ["by itself", "ends"]);
    let runs: Vec<_> = ended.iter().filter_map(|task| task.run).collect();
    assert_eq!(runs, [run.id]);
    assert_eq!(store.ended_tasks(10, HOLD).await.unwrap(), [], "they are claimed");
}

async fn old_tasks_are_forgotten(database: Arc<TestDatabase>) {
    let store = database.open().await;
    keep(&store, "a", TaskState::Answered).await;
    keep(&store, "b", TaskState::Answered).await;
    keep(&store, "c", TaskState::Ended).await;
    assert_eq!(store.forget_tasks(TaskState::Answered, HOUR, 10).await.unwrap(), 0);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(store.forget_tasks(TaskState::Answered, Duration::from_millis(5), 1).await.unwrap(), 1);
    assert_eq!(store.forget_tasks(TaskState::Answered, Duration::from_millis(5), 10).await.unwrap(), 1);
    assert_eq!(store.count_tasks(TaskState::Ended).await.unwrap(), 1);
}
