//! What an app may do to links by SQL, in PostgreSQL.

use std::sync::Arc;

use linkbeat_shared::{Link, Verdict};
use linkbeat_store::{LinkChanges, SharedStore};

use crate::database::{Kind, TestDatabase};
use crate::make::{self, ImportLinks, file_stored, record};

cases![an_app_hides_and_shows_links_as_people_do];

/// What is stored of a link, without what tells it from another.
async fn stored(store: &SharedStore, place: usize) -> Link {
    let links = store.links(None, 10).await.unwrap();
    Link { id: links[0].id, name: links[0].name.clone(), url: links[0].url.clone(), ..links[place].clone() }
}

async fn an_app_hides_and_shows_links_as_people_do(database: Arc<TestDatabase>) {
    if database.kind == Kind::Sqlite {
        return;
    }
    let store = database.open().await;
    store.import_links(&make::links(2)).await.unwrap();
    let (run, plan) = file_stored(&store).await;
    record(&store, run, &plan.jobs, Verdict::Down).await;
    database
        .execute(
            "UPDATE links SET pin = 'hidden', pin_note = 'spam', active = false, paused_until = '2999-01-01'",
        )
        .await;
    let of_person = store.links(None, 10).await.unwrap()[0].id;
    let of_app = store.links(None, 10).await.unwrap()[1].id;
    let calls = [
        ("shown => true", LinkChanges { shown: Some(true), ..LinkChanges::default() }),
        ("shown => true", LinkChanges { shown: Some(true), ..LinkChanges::default() }),
        ("active => false", LinkChanges { active: Some(false), ..LinkChanges::default() }),
        ("false, true", LinkChanges { shown: Some(false), active: Some(true), ..LinkChanges::default() }),
    ];
    for (call, changes) in calls {
        store.set_link(of_person, &changes).await.unwrap().unwrap();
        let called = format!("SELECT linkbeat_set_link('{of_app}', {call})");
        assert_eq!(database.value(&called).await.as_deref(), Some("true"));
        let (person, app) = (stored(&store, 0).await, stored(&store, 1).await);
        assert_eq!(Link { state: person.state.clone(), ..app.clone() }, person, "{call}");
        assert_eq!(
            (app.state.shown, app.state.hidden_reason, app.state.known, app.state.passed_in_a_row),
            (
                person.state.shown,
                person.state.hidden_reason,
                person.state.known,
                person.state.passed_in_a_row
            ),
            "{call}"
        );
    }
    let told = |link: linkbeat_shared::LinkId| {
        format!(
            "SELECT string_agg(change || (run_id IS NULL), ' ' ORDER BY id) FROM linkbeat_changes WHERE link_id = '{link}'"
        )
    };
    assert_eq!(database.value(&told(of_app)).await, database.value(&told(of_person)).await);
    let nobody = "SELECT linkbeat_set_link(gen_random_uuid(), shown => true)";
    assert_eq!(database.value(nobody).await.as_deref(), Some("false"));
    let may = "SELECT count(*) FROM information_schema.routine_privileges
               WHERE routine_name = 'linkbeat_set_link' AND grantee = 'PUBLIC'";
    assert_eq!(database.value(may).await.as_deref(), Some("0"));
}
