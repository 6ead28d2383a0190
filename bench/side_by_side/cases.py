"""The loads, each with those who take part. A case gives an outcome: rows, latencies or notes."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import measured
from contenders import HERE, Embedded, Fleet, Loop, Lychee, Original
from sites import BACKLINK


@dataclass
class Row:
    name: str
    rounds: list = field(default_factory=list)
    sites_cpu: list = field(default_factory=list)


@dataclass
class Outcome:
    title: str
    links: int
    rows: list = field(default_factory=list)
    latencies: dict = field(default_factory=dict)
    """Seconds of each answer, by who answered."""
    notes: list = field(default_factory=list)


def in_turn(title, urls, contenders, rounds, sites):
    """Each round takes every contender once. Those who find something else than the first are named."""
    outcome = Outcome(title, len(urls), [Row(who.name) for who in contenders])
    for who in contenders:
        if hasattr(who, "store"):
            who.store(urls)
    for number in range(rounds):
        for who, row in zip(contenders, outcome.rows, strict=True):
            before = sites.cpu()
            row.rounds.append(who.round(urls))
            row.sites_cpu.append(sites.cpu() - before)
            print(f"   {number + 1}/{rounds} {who.name}: {row.rounds[-1].wall:.2f} s", file=sys.stderr)
    for who in contenders:
        if hasattr(who, "close"):
            who.close()
    expected = outcome.rows[0].rounds[0].answer
    for row in outcome.rows:
        if any(taken.answer != expected for taken in row.rounds):
            outcome.notes.append(f"**{row.name} found {[t.answer for t in row.rounds]}, not {expected} (answered, others).**")
    return outcome


def best(make, settings, urls):
    """The contender whose single round at one of the settings was the fastest."""
    walls = {}
    for setting in settings:
        who = make(setting)
        if hasattr(who, "store"):
            who.store(urls)
        walls[setting] = who.round(urls).wall
        if hasattr(who, "close"):
            who.close()
    setting = min(walls, key=walls.get)
    print(f"   best of {walls}: {setting}", file=sys.stderr)
    return make(setting)


def blog(place, sites, options):
    """24 links of a blog and one that never answers."""
    urls = sites.blog()
    contenders = [Loop(place, 64), Lychee(place, 64), Embedded(place), Fleet(place), Original(place, 25)]
    return in_turn("24 links and one that never answers (timeout 5 s)", urls, contenders, options.rounds, sites)


def fast(place, sites, options):
    """20,000 links of 2,000 hosts that answer at once with 10 KB."""
    urls = sites.fast(2000, 10)
    contenders = [
        best(lambda n: Loop(place, n), (64, 128, 256, 512), urls),
        best(lambda n: Lychee(place, n), (64, 128, 512), urls),
        Embedded(place),
        Fleet(place),
        best(lambda n: Original(place, n), (50, 200, 1000), urls),
    ]
    return in_turn("20,000 links of 2,000 hosts, 10 KB each, the backlink at the end", urls, contenders, options.rounds, sites)


def hanging(place, sites, options):
    """The same, and one link in ten never answers."""
    urls = sites.one_in_ten_hanging(2000, 10)
    contenders = [Loop(place, 4096), Lychee(place, 4096), Embedded(place), Fleet(place)]
    return in_turn("20,000 links, one in ten never answers (timeout 5 s)", urls, contenders, min(options.rounds, 3), sites)


def scale(place, sites, options):
    """1 and 4 workers of one fleet; each link answers after 500 ms, 64 at once in each worker."""
    urls = sites.after(500, 1024)
    concurrency = ["--concurrency", "64"]
    contenders = [Fleet(place, 1, concurrency), Fleet(place, 4, concurrency)]
    return in_turn("1,024 links that answer after 500 ms, 64 at once in each worker", urls, contenders, min(options.rounds, 3), sites)


def growth(place, sites, options):
    """100,000 and 1,000,000 links: time for each, and memory."""
    outcome = Outcome("growth: 100,000 and 1,000,000 links, embedded", 1)
    for hosts in (10_000, 100_000):
        urls = sites.fast(hosts, 10)
        who = Embedded(place)
        who.name = f"{len(urls):,} links"
        part = in_turn(who.name, urls, [who], 1, sites)
        taken = part.rows[0].rounds[0]
        outcome.notes.append(f"{who.name}: {taken.wall / len(urls) * 1e6:.1f} µs a link, {taken.memory:.0f} MiB")
    return outcome


def one(place, sites, options):
    """One link: request, fetch, commit, answer; one after the other."""
    url = sites.fast(1, 1)[0]
    fleet, original = Fleet(place, celery_queue="bench.celery"), Original(place, 1)
    original.store([url])
    outcome = Outcome("one link: published, fetched, committed, answered; one request after the other", 1)
    askers = {
        "linkbeat, a JSON request (pika)": lambda n: _ask("json", place.broker_url, fleet.namespace, url, n),
        "linkbeat, a Celery task (rpc://)": lambda n: _ask("celery", place.broker_url, "bench.celery", url, n),
        "the original: Celery + aiohttp + Django (rpc://)": lambda n: original.drive("one", str(n), BACKLINK)[1]["taken"],
    }
    for ask in askers.values():
        ask(20)
    for _ in range(options.rounds):
        for name, ask in askers.items():
            outcome.latencies.setdefault(name, []).extend(ask(100))
    fleet.close()
    original.close()
    return outcome


def many(place, sites, options):
    """10,000 requests of one link at once: none lost, none doubled, and the memory of the roles."""
    outcome = Outcome("10,000 requests of one link, published at once", 10_000)
    fleet = Fleet(place)
    told = _told("many", place.broker_url, fleet.namespace, f"http://{{}}:{sites.port}/p", 10_000)
    memory = {name: measured.peak_memory(process.pid) for name, process in fleet.roles.items()}
    fleet.close()
    outcome.notes = [
        f"answered: {told['answered']:,}, twice: {told['twice']}, not code 0: {told['bad']}",
        f"from the first request to the last answer: {told['wall']:.1f} s",
        "largest memory: " + ", ".join(f"{name} {mib:.0f} MiB" for name, mib in memory.items()),
    ]
    return outcome


def beside(place, sites, options):
    """Requests of one link, one after the other, while a run of 1,000,000 links is under way."""
    outcome = Outcome("requests of one link beside a run of 1,000,000 links that is under way", 1)
    fleet = Fleet(place)
    fleet.store(sites.fast(100_000, 10))
    run = subprocess.Popen(
        [place.program("linkbeat"), "run"], env=fleet.environment, cwd=place.folder, stdout=subprocess.DEVNULL
    )
    run.wait()
    url = f"http://127.99.1.1:{sites.port}/p"
    outcome.latencies["a JSON request (pika)"] = _ask("json", place.broker_url, fleet.namespace, url, 300)
    fleet.close()
    return outcome


def floor(place, sites, options):
    """What the servers cost by themselves: messages through a quorum queue, rows by UNNEST."""
    outcome = Outcome("the servers by themselves: 20,000 messages through a quorum queue, 20,000 rows by UNNEST", 20_000)
    for name, what, where, watched in (
        ("bare lapin loop, 20,000 confirmed messages of 1 KB", "messages", place.broker_url, place.broker_pid),
        ("bare UNNEST loop, 200 transactions of 100 rows", "rows", place.new_database(), place.database_pid),
    ):
        row = Row(name)
        for _ in range(options.rounds):
            before = measured.cpu(watched)
            taken, _ = measured.command([place.program("linkbeat-bench"), what, where, "20000"], cwd=place.folder)
            taken.cpu += measured.cpu(watched) - before
            row.rounds.append(taken)
            # No sites take part.
            row.sites_cpu.append(0.0)
        outcome.rows.append(row)
    return outcome


def _ask(how, broker, where, url, times):
    return _told(how, broker, where, url, times)["taken"]


def _told(how, broker, where, url, times):
    arguments = [sys.executable, str(Path(HERE) / "ask.py"), how, broker, where, url, str(times), BACKLINK]
    return json.loads(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, timeout=900).stdout)


CASES = {"blog": blog, "fast": fast, "hanging": hanging, "one": one, "many": many, "scale": scale, "floor": floor}
LONG = {"growth": growth, "beside": beside}
