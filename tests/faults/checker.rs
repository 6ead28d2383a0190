//! The judge is judged: each violation of the invariant is seen.

use crate::support::fleet::Role;
use crate::support::world::World;

const VIOLATIONS: [(&str, &str); 9] = [
    ("lost", "DELETE FROM checks WHERE ctid = (SELECT min(ctid) FROM checks)"),
    (
        "doubled",
        "INSERT INTO checks SELECT run_id, gen_random_uuid(), job_id, name, url, verdict, reason, status,
                 elapsed_ms, details, checked_at, change, shown FROM checks LIMIT 1",
    ),
    (
        "not asked for",
        "INSERT INTO checks SELECT gen_random_uuid(), link_id, job_id, name, url, verdict, reason, status,
                       elapsed_ms, details, checked_at, change, shown FROM checks LIMIT 1",
    ),
    ("misjudged", "UPDATE checks SET verdict = 'refused'"),
    ("stuck runs", "UPDATE runs SET state = 'running'"),
    ("runs that ended in the wrong way", "UPDATE runs SET state = 'finished', done = done - 1"),
    ("runs that nobody was told of", "UPDATE runs SET announced_at = NULL"),
    ("miscounted runs", "UPDATE runs SET done = done + 1"),
    ("links that disagree with their latest check", "UPDATE links SET shown = NOT shown"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_violation_is_seen() {
    let mut world = World::open().await;
    for role in [Role::Producer, Role::Recorder, Role::Worker] {
        world.start(role).await;
    }
    world.submit(world.site.mix(0..50, 0)).await;
    world.sound().await;
    for member in &mut world.fleet.members {
        member.process.kill();
    }
    for (what, violation) in VIOLATIONS {
        world.database.execute("DROP TABLE IF EXISTS kept_checks, kept_runs, kept_links").await;
        world
            .database
            .execute(
                "CREATE TABLE kept_checks AS TABLE checks; CREATE TABLE kept_runs AS TABLE runs;
                                CREATE TABLE kept_links AS TABLE links",
            )
            .await;
        world.database.execute(violation).await;
        assert!(world.findings().await.count(what) > 0, "{what}");
        world.database.execute("TRUNCATE checks; INSERT INTO checks TABLE kept_checks;
            UPDATE runs SET state = k.state, done = k.done, announced_at = k.announced_at FROM kept_runs k WHERE k.id = runs.id;
            UPDATE links SET shown = k.shown FROM kept_links k WHERE k.id = links.id").await;
        world.findings().await.assert_sound();
    }
}
