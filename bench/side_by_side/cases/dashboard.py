"""The dashboard over a database of 1,000,000 links: how soon it answers, how often, and what open pages cost."""

import json
import os
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import measured
from sites import free_port

from .outcome import Outcome

SECONDS = 10
"""How long each answer is asked for, and how long views are watched."""

STATES = """
UPDATE links SET
  group_name = 'Group ' || (('x' || substr(md5(url), 1, 2))::bit(8)::int % 40),
  verdict = CASE n WHEN 0 THEN 'down' WHEN 1 THEN 'blocked' WHEN 2 THEN 'no_backlink' ELSE 'up' END,
  verdict_since = now() - n * interval '1 hour', last_checked_at = now() - interval '1 hour',
  reason = CASE n WHEN 0 THEN '{"type": "timeout", "phase": "headers"}'::jsonb END,
  shown = n > 2, active = n < 99
FROM (SELECT id AS of_id, ('x' || substr(md5(url), 3, 4))::bit(16)::int % 100 AS n FROM links) AS drawn
WHERE id = of_id
"""

PAGES = {
    "overview": "/",
    "links": "/links",
    "links, by text": "/links?text=other-77",
    "links, by verdict": "/links?verdict=down",
    "links, by group": "/links?group=Group+7",
    "links, by host": "/links?host=other-777.example",
    "links, hidden": "/links?shown=false",
    "links, paused": "/links?active=false",
    "links, sorted by name": "/links?sort=name",
    "a link, its year": "/links/{link}?period=year",
    "changes": "/changes",
    "runs": "/runs",
    "API, links": "/api/v1/links",
    "API, links by verdict": "/api/v1/links?verdict=down",
    "API, a link": "/api/v1/links/{link}",
}


def dashboard(place, sites, options):
    """The dashboard over 1,000,000 links and 5,000,000 checks; 500 open pages."""
    outcome = Outcome(f"the dashboard over {options.stored:,} links and {options.checks:,} checks, PostgreSQL", options.stored)
    database = place.new_database()
    _fill(place, database, options)
    with _served(place, database) as (_, url):
        link = json.load(urllib.request.urlopen(f"{url}/api/v1/links?text=daily-1&limit=1"))["items"][0]["id"]
        for name, path in PAGES.items():
            outcome.notes.append(_answers(place, name, url + path.format(link=link)))
        for connections in (1, 8):
            taken = _get(place, f"{url}/api/v1/links", connections)
            outcome.notes.append(f"API, a list of 50 links over {connections} connections: {taken['per_second']:.0f} requests/s")
    # A process of its own for each: its largest memory counts.
    for views in (0, 1, options.views):
        outcome.notes.append(_views(place, database, views))
    return outcome


def _fill(place, database, options):
    amounts = ["--checks", str(options.checks), "--links", str(options.stored)]
    command = [place.program("linkbeat-bench"), "history", "--only-make", "--database-url", database, *amounts]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STATES)
        connection.execute("VACUUM ANALYZE")


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
        time.sleep(SECONDS * 2)
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
