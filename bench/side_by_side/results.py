"""The table that people read."""

import platform
import re
import subprocess

from measured import median, percentile


def write(path, outcomes, place, rounds):
    text = [HEAD.format(machine=machine(), versions=versions(place), rounds=rounds)]
    text += [section(outcome) for outcome in outcomes]
    path.write_text("\n".join(text))


HEAD = """\
# Results of `bench/run`

{machine}

{versions}

Everything runs on this one machine and shares its cores: contenders, servers and sites. Contenders take turns; the
figures are medians of {rounds} rounds, with the least and the most in parentheses. Such a machine is noisy: read the ratios. CPU
is user and system time of all processes of a contender, without the sites, which have a column of their own.
"""


def section(outcome):
    lines = [f"## {outcome.title}", ""]
    if outcome.rows:
        first = median(taken.wall for taken in outcome.rows[0].rounds)
        lines += ["| | wall | speed beside the first | CPU of a link | memory | CPU of the sites |", "| --- | --- | --- | --- | --- | --- |"]
        lines += [line(row, outcome.links, first) for row in outcome.rows]
        lines += shares(outcome)
    if outcome.latencies:
        lines += ["| | p50 | p99 | least | most |", "| --- | --- | --- | --- | --- |"]
        for name, taken in outcome.latencies.items():
            parts = (percentile(taken, 50), percentile(taken, 99), min(taken), max(taken))
            lines.append(f"| {name} | " + " | ".join(f"{part * 1000:.1f} ms" for part in parts) + " |")
    lines += ["", *(f"- {remark}" for remark in outcome.remarks)] if outcome.remarks else []
    if outcome.notes:
        lines += ["", *(f"- {note}" for note in outcome.notes)]
    elif outcome.rows and outcome.rows[0].rounds[0].answer:
        found = outcome.rows[0].rounds[0].answer
        lines += ["", f"All found the same: {found[0]:,} links answered, {found[1]:,} did not."]
    return "\n".join(lines) + "\n"


def line(row, links, first):
    walls = [taken.wall for taken in row.rounds]
    cpu = median(taken.cpu for taken in row.rounds) / links * 1e6
    memory = median(taken.memory for taken in row.rounds)
    wall = f"{median(walls):.2f} s ({min(walls):.2f}-{max(walls):.2f})"
    return f"| {row.name} | {wall} | {first / median(walls):.2f} | {cpu:.0f} µs | {memory:.0f} MiB | {median(row.sites_cpu):.2f} s |"


def shares(outcome):
    """CPU of each process, where there are several."""
    lines = []
    for row in outcome.rows:
        if row.rounds[0].shares:
            parts = (
                f"{name} {median(taken.shares[name] for taken in row.rounds) / outcome.links * 1e6:.0f}"
                for name in row.rounds[0].shares
            )
            lines.append(f"- {row.name}, CPU of a link in µs: {', '.join(parts)}")
    return ["", *lines] if lines else []


def machine():
    with open("/proc/cpuinfo") as file:
        names = re.findall(r"model name\s*: (.*)", file.read())
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal:\s*(\d+)", file.read())[1]) / 2**20
    return f"{len(names)} cores ({names[0] if names else platform.machine()}), {memory:.0f} GiB, {platform.system()} {platform.release()}."


def versions(place):
    def first_line(*command):
        told = subprocess.run(command, capture_output=True, text=True)
        return (told.stdout or told.stderr).strip().splitlines()[0]

    import aiohttp
    import celery
    import django
    import psycopg

    with psycopg.connect(place.database_url) as connection:
        database = connection.execute("SHOW server_version").fetchone()[0]
    parts = [
        first_line(place.program("linkbeat"), "--version"),
        first_line(str(place.lychee_program), "--version"),
        f"Celery {celery.__version__}",
        f"aiohttp {aiohttp.__version__}",
        f"Django {django.__version__}",
        f"PostgreSQL {database}",
        first_line("nginx", "-v"),
        f"Python {platform.python_version()}",
    ]
    return ", ".join(parts) + "."
