"""What a command or a group of processes took, read from the kernel."""

import os
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Taken:
    """One run. Seconds, CPU seconds (user and system), MiB."""

    wall: float
    cpu: float
    memory: float
    answer: object = None
    """What the contender says that it found; compared between contenders."""
    shares: dict | None = None
    """CPU seconds of each process beside the command, by name."""


def command(arguments, *, cwd, env=None, allowed=(0,), limit=1800):
    """Runs a command to its end. Returns (Taken, standard output)."""
    begin = time.monotonic()
    process = subprocess.Popen(
        arguments, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    late = threading.Timer(limit, process.kill)
    late.start()
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    memory = []
    watcher = threading.Thread(target=lambda: memory.append(_largest_memory(process.pid)))
    watcher.start()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    late.cancel()
    reader.join()
    watcher.join()
    if process.returncode not in allowed:
        raise SystemExit(f"{arguments} ended with {process.returncode}:\n{errors[0].decode(errors='replace')[-2000:]}")
    return Taken(wall, usage.ru_utime + usage.ru_stime, memory[0]), output


def _largest_memory(process):
    """MiB. `ru_maxrss` would also count the memory of this program, which a child shares until its exec (getrusage(2))."""
    largest = 0
    while kib := _status(process, "VmHWM:"):
        largest = kib
        time.sleep(0.01)
    return largest / 1024


def tree(process):
    """A process and all below it."""
    below = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))):
            below.setdefault(int(stat[1]), []).append(int(entry))
    found = [process]
    for parent in found:
        found += below.get(parent, [])
    return found


def cpu(process):
    """CPU seconds of a process, of all below it, and of those of them that have ended."""
    total = 0
    for member in tree(process):
        if stat := _stat(member):
            total += sum(int(stat[field]) for field in (11, 12, 13, 14))
    return total / TICKS


def peak_memory(process):
    """MiB: the largest resident memory of each process of a tree, added up."""
    return sum(_status(member, "VmHWM:") for member in tree(process)) / 1024


def _stat(process):
    # proc(5): what follows the name in parentheses, which may hold anything.
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def _status(process, line):
    try:
        with open(f"/proc/{process}/status") as file:
            return next((int(text.split()[1]) for text in file if text.startswith(line)), 0)
    except OSError:
        return 0


def median(values):
    return statistics.median(values)


def percentile(values, part):
    """The value that so many per cent of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * part // 100)]
