//! A PostgreSQL that is killed, and away for a while, under load.

use std::time::Duration;

use crate::support::fleet::Role;
use crate::support::world::{Own, World};

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_away_for_a_while() {
    let mut world = World::with(Own::POSTGRES).await;
    for role in [Role::Producer, Role::Recorder, Role::Worker] {
        world.start(role).await;
    }
    world.submit(world.site.mix(0..1_500, 1_000)).await;
    world.stored(50).await;
    for away in [0, 3] {
        let postgres = world.postgres.as_mut().unwrap();
        postgres.kill();
        tokio::time::sleep(Duration::from_secs(away)).await;
        postgres.restart().await;
        let stored = world.database.stored().await;
        world
            .recovery("PostgreSQL", Duration::from_secs(5), async |world| {
                world.database.stored().await > stored
            })
            .await;
        world.submit(world.site.mix(1_000..1_900, 1_000)).await;
    }
    world.sound().await;
}
