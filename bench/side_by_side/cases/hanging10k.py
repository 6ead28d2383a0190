"""The memory of checks that hang."""

import re
import subprocess

from measured import median

from .outcome import Outcome


def hanging10k(place, sites, options):
    """10,000 links that never answer, or as many as files may be open: the memory of each, beside a bare client's."""
    outcome = Outcome("links that never answer, at once: memory", options.hanging)
    for name, bare in (("bare reqwest client", ["--bare"]), ("linkbeat's engine", [])):
        rounds = [_idle(place, options.hanging, bare) for _ in range(min(options.rounds, 3))]
        kib = [kib for _, kib in rounds]
        at_once = min(reached for reached, _ in rounds)
        outcome.notes.append(f"{name}: {median(kib):.1f} KiB each ({min(kib):.1f}-{max(kib):.1f}), {at_once:,} at once")
    return outcome


def _idle(place, count, bare):
    """How many hung at once, and the KiB of each."""
    command = [place.program("linkbeat-bench"), "idle", "--checks", str(count), *bare]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout
    reached, kib = re.match(r"(\d+) .*: ([\d.]+) KiB", told).groups()
    return int(reached), float(kib)
