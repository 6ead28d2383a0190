//! The judge is judged: each violation of the invariant is seen.

use crate::support::fleet::Role;
use crate::support::world::World;

const VIOLATIONS: [(&str, &str); 12] = [
    ("lost", "DELETE FROM checks WHERE (run_id, link_id) = (SELECT run_id, link_id FROM checks LIMIT 1)"),
    (
        "doubled",
        "INSERT INTO removed_links (id, name, url)
             SELECT gen_random_uuid(), name, url_key FROM links WHERE id IN (SELECT link_id FROM checks) LIMIT 1;
         INSERT INTO checks SELECT checks.checked_at, checks.run_id, removed_links.id, checks.elapsed_ms, checks.status,
                                   checks.outcome, checks.reason, checks.details
             FROM checks JOIN links ON links.id = link_id JOIN removed_links ON removed_links.url = url_key",
    ),
    (
        "not asked for",
        "INSERT INTO checks SELECT checked_at, gen_random_uuid(), link_id, elapsed_ms, status, outcome, reason, details
             FROM checks LIMIT 1",
    ),
    ("misjudged", "UPDATE checks SET outcome = (outcome & 48) + 5"),
    ("stuck runs", "UPDATE runs SET state = 'running'"),
    ("runs that ended in the wrong way", "UPDATE runs SET state = 'finished', done = done - 1"),
    ("proposals that were neither carried out nor told", "UPDATE runs SET untold = untold + 1"),
    ("runs that nobody was told of", "UPDATE runs SET announced_at = NULL"),
    ("miscounted runs", "UPDATE runs SET done = done + 1"),
    ("links that disagree with their latest check", "UPDATE links SET shown = NOT shown"),
    ("runs whose verdicts are not those of their checks", "UPDATE runs SET up = up + 1, down = down - 1"),
    ("checks and changes that disagree", "DELETE FROM changes WHERE was_shown AND NOT shown"),
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
        world.database.execute("DROP TABLE IF EXISTS kept_checks, kept_runs, kept_links, kept_changes").await;
        world
            .database
            .execute(
                "CREATE TABLE kept_checks AS TABLE checks; CREATE TABLE kept_runs AS TABLE runs;
                                CREATE TABLE kept_links AS TABLE links;
                                CREATE TABLE kept_changes AS TABLE changes",
            )
            .await;
        world.database.execute(violation).await;
        assert!(world.findings().await.count(what) > 0, "{what}");
        world.database.execute("TRUNCATE checks, removed_links; INSERT INTO checks TABLE kept_checks;
            TRUNCATE changes; INSERT INTO changes OVERRIDING SYSTEM VALUE TABLE kept_changes;
            UPDATE runs SET state = k.state, done = k.done, up = k.up, down = k.down, announced_at = k.announced_at,
                       untold = k.untold
                FROM kept_runs k WHERE k.id = runs.id;
            UPDATE links SET shown = k.shown FROM kept_links k WHERE k.id = links.id").await;
        world.findings().await.assert_sound();
    }
}
