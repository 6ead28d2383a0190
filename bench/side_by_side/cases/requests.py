"""Requests of one link, as apps send them."""

import json
import subprocess
import sys
from pathlib import Path

import measured
from contenders import HERE, Fleet, Original
from sites import BACKLINK

from .outcome import Outcome


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


def _ask(how, broker, where, url, times):
    return _told(how, broker, where, url, times)["taken"]


def _told(how, broker, where, url, times):
    arguments = [sys.executable, str(Path(HERE) / "ask.py"), how, broker, where, url, str(times), BACKLINK]
    return json.loads(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, timeout=900).stdout)
