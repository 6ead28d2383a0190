"""The memory of checks that hang."""

import re
import subprocess

from measured import median

from .outcome import Outcome


def hanging10k(place, sites, options):
    """10,000 links that never answer, at once: the memory of each, beside a bare reqwest client."""
    outcome = Outcome(f"{options.hanging:,} links that never answer, at once: memory", options.hanging)
    for name, bare in (("bare reqwest client", ["--bare"]), ("linkbeat's engine", [])):
        rounds = [_kib(place, options.hanging, bare) for _ in range(min(options.rounds, 3))]
        outcome.notes.append(f"{name}: {median(rounds):.1f} KiB each ({min(rounds):.1f}-{max(rounds):.1f})")
    return outcome


def _kib(place, count, bare):
    command = [place.program("linkbeat-bench"), "idle", "--checks", str(count), *bare]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout
    reached, kib = re.match(r"(\d+) .*: ([\d.]+) KiB", told).groups()
    if int(reached) != count:
        raise SystemExit(f"only {reached} of {count} could hang at once: allow more open files (ulimit -n)")
    return float(kib)
