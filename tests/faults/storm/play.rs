//! How each fault is played.

use std::time::{Duration, Instant};

use rand::Rng;
use rand::seq::IndexedRandom;
use tokio::time::sleep;

use super::{Fault, QUEUES, QUEUES_ARE_SAFE, Storm};
use crate::support::fleet::{Role, Wire};
use crate::support::proxy::Weather;
use crate::support::queues::Raw;

impl Storm {
    pub(super) async fn play(&mut self, fault: Fault) {
        self.say(&format!("{:>3} {fault:?}", self.count() + 1));
        match fault {
            Fault::WorkerKilled => self.kill(Role::Worker),
            Fault::RecorderKilled => self.kill(Role::Recorder),
            Fault::ProducerKilled => self.kill(Role::Producer),
            Fault::WorkerStopped => self.stop_worker().await,
            Fault::WireCut => {
                let wire = self.any_wire();
                self.world.fleet.wire(wire).cut();
            }
            Fault::WireBlackHole => self.disturb(Weather::BlackHole, 5..30),
            Fault::WireSlow => self.disturb(Weather::Slow(50_000), 5..20),
            Fault::WireLate => self.disturb(Weather::Late(Duration::from_millis(500)), 5..20),
            Fault::MessagesRepeated => self.repeat().await,
            Fault::QueuePurged => {
                let queue = self.any_queue();
                self.world.queues.purge(queue).await;
            }
            Fault::QueueDeleted => {
                let queue = self.any_queue();
                self.world.queues.delete(queue).await;
                self.queue_made = Instant::now();
            }
            Fault::Poison => self.poison().await,
            Fault::DeadlyJob => {
                let number = 1_000_000 + self.count();
                let links = vec![self.world.site.special(number, "deadly")];
                self.world.submit(links).await;
            }
            Fault::BrokerKilled => self.kill_broker().await,
            Fault::BrokerFrozen => self.freeze_broker().await,
            Fault::BrokerShortOfMemory => self.starve_broker().await,
            Fault::PostgresKilled => self.kill_postgres().await,
        }
        *self.played.entry(fault).or_default() += 1;
    }

    fn any(&mut self, role: Role) -> usize {
        *self.world.fleet.of(role).choose(&mut self.random).expect("one of each role runs")
    }

    fn any_wire(&mut self) -> Wire {
        *Wire::ALL.choose(&mut self.random).expect("there are wires")
    }

    fn any_queue(&mut self) -> &'static str {
        QUEUES.choose(&mut self.random).expect("there are queues")
    }

    fn kill(&mut self, role: Role) {
        let place = self.any(role);
        self.world.fleet.process(place).kill();
        self.stopping.retain(|stopping| *stopping != place);
        self.world.revive(place);
    }

    /// A process that has only just been started would end by the signal, as any would.
    async fn stop_worker(&mut self) {
        let place = self.any(Role::Worker);
        if !self.stopping.contains(&place) && self.world.fleet.members[place].has_begun().await {
            self.world.fleet.process(place).signal("TERM");
            self.stopping.push(place);
        }
    }

    fn disturb(&mut self, weather: Weather, seconds: std::ops::Range<u64>) {
        let wire = self.any_wire();
        self.world.fleet.wire(wire).set(weather);
        let until = Instant::now() + Duration::from_secs(self.random.random_range(seconds));
        self.disturbed.retain(|(other, _)| *other != wire);
        self.disturbed.push((wire, until));
    }

    async fn repeat(&mut self) {
        for queue in QUEUES {
            let count = self.world.queues.repeat(queue, 150, 3, &mut self.random).await;
            self.say(&format!("    {count} {queue} three times, shuffled"));
        }
    }

    async fn poison(&mut self) {
        let queue = *["jobs", "results", "requests"].choose(&mut self.random).expect("there are queues");
        let schema = format!("{{\"schema\":\"linkbeat.{}/99\"}}", queue.trim_end_matches('s'));
        let poison = [Raw::new("garbage"), Raw::new(schema), Raw::new(vec![b' '; 20 << 20])];
        self.world.queues.put(queue, &poison).await;
    }

    async fn kill_broker(&mut self) {
        self.calm().await;
        let young = QUEUES_ARE_SAFE.saturating_sub(self.queue_made.elapsed());
        self.wait(young).await;
        let away = if self.random.random_ratio(1, 5) { 30 } else { self.random.random_range(0..5) };
        self.world.rabbit.as_mut().expect("our own").kill();
        self.wait(Duration::from_secs(away)).await;
        self.world.rabbit.as_mut().expect("our own").restart().await;
        self.recovered("the broker was killed").await;
    }

    async fn freeze_broker(&mut self) {
        self.calm().await;
        self.world.rabbit.as_ref().expect("our own").freeze();
        sleep(Duration::from_secs(30)).await;
        self.world.rabbit.as_ref().expect("our own").thaw();
        self.recovered("the broker was frozen").await;
    }

    async fn starve_broker(&mut self) {
        self.calm().await;
        self.world.rabbit.as_ref().expect("our own").memory_alarm(true);
        self.wait(Duration::from_secs(60)).await;
        self.world.rabbit.as_ref().expect("our own").memory_alarm(false);
        self.recovered("the memory alarm").await;
    }

    async fn kill_postgres(&mut self) {
        self.calm().await;
        let away = if self.random.random_ratio(1, 5) { 60 } else { self.random.random_range(0..10) };
        self.world.postgres.as_mut().expect("our own").kill();
        self.wait(Duration::from_secs(away)).await;
        self.world.postgres.as_mut().expect("our own").restart().await;
        self.recovered("PostgreSQL was killed").await;
    }
}
