"""The dashboard over a database of 1,000,000 links: how soon it answers, how often, and what open pages cost."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import measured
from sites import free_port

from .outcome import Outcome

SECONDS = 5
"""How long each page is asked for."""
LONG = 10
"""How long the API is asked for, and views are watched."""
LIMIT = 3600
"""Filling the database takes no longer."""

STATES = """
UPDATE links SET
  group_name = 'Group ' || (('x' || substr(md5(url), 1, 2))::bit(8)::int % 40),
  verdict = CASE n WHEN 0 THEN 'down' WHEN 1 THEN 'blocked' WHEN 2 THEN 'no_backlink' ELSE 'up' END,
  verdict_since = now() - n * interval '1 hour', last_checked_at = now() - interval '1 hour',
  reason = CASE n WHEN 0 THEN '{"type": "timeout", "phase": "headers"}'::jsonb END,
  attributes = CASE WHEN n < 10 THEN '{"tags": ["photos"]}'::jsonb END, reachable = 10000 - n,
  shown = n > 2, active = n < 99
FROM (SELECT id AS of_id, ('x' || substr(md5(url), 3, 4))::bit(16)::int % 100 AS n FROM links) AS drawn
WHERE id = of_id
"""

SORTS = ("added", "name", "host", "verdict", "reason", "since", "reachable")

PAGES = {
    "overview": "/",
    "links": "/links",
    "links, by text": "/links?text=other-77",
    "links, by a text that none has": "/links?text=zzzzzz",
    "links, by verdict": "/links?verdict=down",
    "links, by a verdict that most have": "/links?verdict=up",
    "links, by reason": "/links?reason=timeout",
    "links, by group": "/links?group=Group+7",
    "links, by tag": "/links?tag=photos",
    "links, by host": "/links?host=other-777.example",
    "links, shown": "/links?shown=true",
    "links, hidden": "/links?shown=false",
    "links, paused": "/links?active=false",
    "links, reachable below 95 %": "/links?reachable=95",
    "links, by group, verdict and text": "/links?group=Group+7&verdict=up&text=other-7",
    **{f"links, sorted by {sort}": f"/links?sort={sort}" for sort in SORTS},
    **{f"links, sorted by {sort}, the other way": f"/links?sort={sort}&reverse=true" for sort in SORTS},
    "links, by verdict, sorted by since": "/links?verdict=down&sort=since",
    "a link": "/links/{link}",
    "a link, its year": "/links/{link}?period=year",
    "a link that is checked every five minutes, its year": "/links/{frequent}?period=year",
    "changes": "/changes",
    "runs": "/runs",
    "settings and health": "/settings",
    "API, links": "/api/v1/links",
    "API, links by verdict": "/api/v1/links?verdict=down",
    "API, a link": "/api/v1/links/{link}",
}

def dashboard(place, sites, options):
    """The dashboard over 1,000,000 links and 5,000,000 checks; 500 open pages."""
    outcome = Outcome(f"the dashboard over {options.stored:,} links and {options.checks:,} checks, PostgreSQL", options.stored)

    def note(text):
        print(f"   {text}", file=sys.stderr, flush=True)
        outcome.notes.append(text)

    database = options.database or place.new_database()
    if not options.database:
        _fill(place, database, options)
    with _served(place, database) as (process, url):
        link, frequent = (_first(url, name) for name in ("daily-1", "frequent-1"))
        for name, path in PAGES.items():
            note(_answers(place, name, url + path.format(link=link, frequent=frequent)))
        for connections in (1, 8):
            note(_often(place, f"{url}/api/v1/links", connections, process))
        note(_first_page(url))
    # A process of its own for each: its largest memory counts.
    for views in (0, 1, options.views):
        note(_views(place, database, views))
    return outcome


def _fill(place, database, options):
    amounts = ["--checks", str(options.checks), "--links", str(options.stored)]
    command = [place.program("linkbeat-bench"), "history", "--only-make", "--database-url", database, *amounts]
    subprocess.run(command, check=True, stdout=sys.stderr, timeout=LIMIT)
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STATES)
        # Changing all rows at once leaves half of the table empty.
        connection.execute("VACUUM (FULL, ANALYZE) links")
        connection.execute("VACUUM ANALYZE")


def _first(url, text):
    """The id of a link."""
    return json.load(urllib.request.urlopen(f"{url}/api/v1/links?text={text}&limit=1"))["items"][0]["id"]


@contextmanager
def _served(place, database):
    port = free_port()
    environment = dict(os.environ, LINKBEAT_DATABASE_URL=database, LINKBEAT_LOG="error")
    command = [place.program("linkbeat"), "dashboard", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=place.folder, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url)
        yield process, url
    finally:
        process.terminate()
        process.wait(30)


def _wait(url):
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=30).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the dashboard does not answer")


def _get(place, url, connections, seconds=SECONDS):
    command = [place.program("linkbeat-bench"), "get", url, str(connections), str(seconds)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300).stdout)


def _answers(place, name, url):
    # Once before, so that what is read is in memory.
    _get(place, url, 1, 0)
    taken = _get(place, url, 1)
    return f"{name}: p50 {taken['p50_ms']:.1f} ms, p95 {taken['p95_ms']:.1f} ms, {taken['bytes'] / 1000:.1f} kB over the wire"


def _often(place, url, connections, process):
    """How often the API answers, and what each of the three takes of the two cores meanwhile."""
    servers = {"dashboard": process.pid, "PostgreSQL": place.database_pid}
    before, begin = {name: measured.cpu(pid) for name, pid in servers.items()}, time.monotonic()
    taken = _get(place, url, connections, LONG)
    seconds = time.monotonic() - begin
    cores = {name: (measured.cpu(pid) - before[name]) / seconds for name, pid in servers.items()}
    cores["client"] = taken["cores"]
    told = ", ".join(f"{name} {part:.2f}" for name, part in cores.items())
    return f"API, a list of 50 links over {connections} connections: {taken['per_second']:.0f} requests/s (cores: {told})"


def _first_page(url):
    """What a browser loads that was never here."""

    def body(path):
        return urllib.request.urlopen(urllib.request.Request(url + path, headers={"Accept-Encoding": "gzip"})).read()

    links = urllib.request.urlopen(url).read().decode()
    assets = sum(len(body(path)) for path in set(re.findall(r'"(/assets/[^"]+)"', links)))
    pages = ", ".join(f"{path} {(len(body(path)) + assets) / 1000:.1f} kB" for path in ("/", "/links"))
    return f"a first page with style, script and icon, over the wire: {pages}"


def _views(place, database, views):
    """Memory, queries and CPU with so many open views of the overview."""
    with _served(place, database) as (process, url):
        opened = None
        if views:
            parts = "&".join(f"part={part}" for part in ("counts", "running", "down", "changes"))
            command = [place.program("linkbeat-bench"), "views", f"{url}/live?{parts}", str(views)]
            opened = subprocess.Popen(command, stdout=subprocess.PIPE)
            if not opened.stdout.readline():
                raise SystemExit("the views do not open")
        # Databases tell their counts late.
        time.sleep(3)
        queries, cpu, begin = _transactions(database), measured.cpu(process.pid), time.monotonic()
        time.sleep(LONG * 2)
        seconds = time.monotonic() - begin
        queries, cpu = _transactions(database) - queries, measured.cpu(process.pid) - cpu
        if opened:
            opened.kill()
            opened.wait()
        memory = measured.peak_memory(process.pid)
    of_core = 100 * cpu / seconds
    return f"{views} open views: {memory:.0f} MiB, {queries / seconds:.1f} transactions/s, {of_core:.1f} % of a core"


def _transactions(database):
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        return connection.execute(query).fetchone()[0]
