"""What a case came to, and how contenders are measured in turn."""

import sys
from dataclasses import dataclass, field


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
    """Lines below the tables. Those who found something else are among them."""
    remarks: list = field(default_factory=list)
    """Lines that say no more than the tables do."""


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
