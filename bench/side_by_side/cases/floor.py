"""The servers by themselves."""

import measured

from .outcome import Outcome, Row


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
