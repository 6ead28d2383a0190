//! Keeps a fleet under load: request after request over the same links, so that runs overtake each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use crate::support::database::Database;
use crate::support::ledger::{Ledger, Request};
use crate::support::queues::{Queues, Raw};
use crate::support::site::Link;
use crate::support::world::World;

/// Links there are; each stands in many runs.
const UNIVERSE: usize = 20_000;
/// Links on their way at which nothing more is asked for.
const ENOUGH: i64 = 15_000;
/// The slowest site's answer.
const SLOWEST_MS: u64 = 1_000;
/// What counts as `up` in a run: so a link's verdict changes from run to run.
const ACCEPT: [&[u16]; 3] = [&[200], &[200, 404], &[200, 404, 500]];

pub(crate) struct Feeder {
    queues: Queues,
    database: Database,
    universe: Vec<Link>,
    least: usize,
    over: Arc<AtomicBool>,
    random: StdRng,
}

impl Feeder {
    /// It goes on until at least so many links were asked for, and it is `over`.
    pub(crate) fn new(world: &World, least: usize, over: Arc<AtomicBool>, seed: u64) -> Self {
        Self {
            queues: world.queues.clone(),
            database: world.database.clone(),
            universe: world.site.mix(0..UNIVERSE, SLOWEST_MS),
            least,
            over,
            random: StdRng::seed_from_u64(!seed),
        }
    }

    /// Returns the ledger of what the broker has confirmed.
    pub(crate) async fn run(mut self) -> Ledger {
        let mut ledger = Ledger::default();
        let on_their_way = "SELECT coalesce(sum(links - done), 0)::bigint FROM runs WHERE state = 'running'";
        while ledger.links() < self.least || !self.over.load(Ordering::Relaxed) {
            match self.database.try_number(on_their_way).await {
                Some(links) if links >= ENOUGH => sleep(Duration::from_millis(300)).await,
                Some(_) => self.submit(&mut ledger).await,
                // The database is away; requests are taken all the same, but there is no hurry.
                None => {
                    self.submit(&mut ledger).await;
                    sleep(Duration::from_secs(2)).await;
                }
            }
        }
        ledger
    }

    async fn submit(&mut self, ledger: &mut Ledger) {
        let count = self.random.random_range(50..2_000);
        let links = self.universe.choose_multiple(&mut self.random, count).cloned().collect();
        let accept = ACCEPT.choose(&mut self.random).expect("there are some").to_vec();
        let request = Request { accept, ..Request::of(links) };
        self.queues.put("requests", &[Raw::new(request.message())]).await;
        ledger.requests.push(request);
        sleep(Duration::from_millis(500)).await;
    }
}
