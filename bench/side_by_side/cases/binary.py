"""The program itself."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from .outcome import Outcome


def binary(place, sites, options):
    """The size of the program; with --build also how long it takes to build from scratch."""
    outcome = Outcome("the program", 1)
    built = Path(place.program("linkbeat"))
    outcome.notes.append(f"as built: {_megabytes(built)}")
    with tempfile.TemporaryDirectory(dir=place.folder) as folder:
        stripped = Path(folder) / "linkbeat"
        subprocess.run(["strip", "-o", stripped, built], check=True)
        outcome.notes.append(f"stripped: {_megabytes(stripped)}")
        if options.build:
            begin = time.monotonic()
            command = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "linkbeat-cli", "--target-dir", f"{folder}/target"]
            subprocess.run(command, check=True)
            outcome.notes.append(f"built from scratch on {os.cpu_count()} cores in {time.monotonic() - begin:.0f} s")
    return outcome


def _megabytes(path):
    return f"{path.stat().st_size / 1e6:.1f} MB"
