//! After the storm: what is left is counted, told, and judged.

use std::time::{Duration, Instant};

use super::{Plan, REST, Storm};
use crate::support::fleet::linkbeat;
use crate::support::process::Usage;

impl Storm {
    /// Lets all come to rest, prints what was found, and judges it.
    pub(super) async fn end(mut self, plan: &Plan) {
        self.calm().await;
        self.say("no more faults; coming to rest");
        let settled = self.settle().await;
        let findings = self.world.findings().await;
        let dead = self.world.queues.depth("dead").await;
        println!(
            "\nseed {}: {} faults in {:.0} s",
            plan.seed,
            self.count(),
            self.began.elapsed().as_secs_f64()
        );
        for (fault, count) in &self.played {
            println!("  {count:>8} {fault:?}");
        }
        print!("ledger, settled: {settled}\n{findings}");
        println!(
            "  {dead:>8} messages in the dead queue; {} workers killed by sites",
            self.world.site.killed()
        );
        self.print_recoveries();
        self.print_usage();
        assert_eq!(self.ended_by_themselves, Vec::<String>::new(), "processes that ended by themselves");
        findings.assert_sound();
        self.complete_parked().await;
        assert!(self.count() >= plan.faults, "only {} faults in time", self.count());
        assert!(self.world.ledger.links() >= plan.links, "only {} links in time", self.world.ledger.links());
        self.judge_recoveries();
    }

    /// As [`World::settle`], with somebody who looks after the fleet: deadly jobs are still about.
    async fn settle(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < REST {
            self.look_after().await;
            if self.world.settle(Duration::from_secs(1)).await {
                return true;
            }
        }
        false
    }

    /// The jobs that were parked for good reason are put back, and find nothing deadly any more.
    async fn complete_parked(&mut self) {
        self.world.site.become_harmless();
        let mut requeue = linkbeat(self.world.folder());
        requeue.args(["dead", "requeue", "--all", "--cause", "lost"]);
        self.world.configure(&mut requeue);
        let ended = requeue.output().unwrap();
        println!("parked jobs put back: {}", String::from_utf8_lossy(&ended.stderr).trim());
        let incomplete = "SELECT count(*) FROM runs WHERE state <> 'finished'";
        let began = Instant::now();
        while self.world.database.number(incomplete).await > 0 && began.elapsed() < REST {
            self.wait(Duration::from_millis(200)).await;
        }
        self.world.settle(REST).await;
        let findings = self.world.findings().await;
        print!("{findings}");
        findings.assert_sound();
        assert_eq!(findings.parked, 0, "every link has its result in the end");
    }

    fn print_recoveries(&self) {
        for (from, times) in &self.recoveries {
            let longest = times.iter().max().copied().unwrap_or_default().as_secs_f64();
            let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
            println!(
                "  consuming again after {from}: mean {mean:.1} s, longest {longest:.1} s, of {}",
                times.len()
            );
        }
    }

    fn judge_recoveries(&self) {
        for (from, promised) in [("the broker was killed", 10), ("PostgreSQL was killed", 5)] {
            let longest = self.recoveries.get(from).and_then(|times| times.iter().max()).copied();
            assert!(longest.unwrap_or_default() <= Duration::from_secs(promised), "{from}: {longest:?}");
        }
    }

    fn print_usage(&self) {
        println!("  process      memory MiB: median, most   threads: most   descriptors: most");
        for (name, samples) in &self.usage {
            let mut memory: Vec<_> = samples.iter().map(|usage| usage.memory_kib / 1_024).collect();
            memory.sort_unstable();
            let most = |of: fn(&Usage) -> u64| samples.iter().map(of).max().unwrap_or(0);
            println!(
                "  {name:12} {:>19} {:>6} {:>15} {:>19}",
                memory[memory.len() / 2],
                memory[memory.len() - 1],
                most(|usage| usage.threads),
                most(|usage| usage.descriptors),
            );
        }
    }
}
