"""Who is measured. Each takes a list of URLs and returns what one round took."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import measured
from sites import BACKLINK

HERE = Path(__file__).parent


class Place:
    """Folders, programs and servers of this run of the benchmark."""

    def __init__(self):
        self.folder = Path(os.environ["BENCH_FOLDER"])
        self.programs = Path(os.environ["BENCH_PROGRAMS"]).resolve()
        self.lychee_program = Path(os.environ["BENCH_LYCHEE"]).resolve()
        self.broker_url, self.broker_pid = os.environ["BENCH_BROKER_URL"], int(os.environ["BENCH_BROKER_PID"])
        self.database_url, self.database_pid = os.environ["BENCH_DATABASE_URL"], int(os.environ["BENCH_DATABASE_PID"])

    def program(self, name):
        return str(self.programs / name)

    def new_database(self):
        """The URL of a new, empty database on the PostgreSQL server."""
        import psycopg

        name = f"bench_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return urlunsplit(urlsplit(self.database_url)._replace(path=f"/{name}"))


class Loop:
    """reqwest and a regex, nothing else."""

    def __init__(self, place, at_once):
        self.place, self.at_once = place, at_once
        self.name = f"bare reqwest loop, {at_once} at once"

    def round(self, urls):
        listed = _write(self.place, urls)
        arguments = [self.place.program("linkbeat-bench"), "loop", "--backlink", BACKLINK, str(self.at_once), listed]
        # 1: some links did not pass.
        taken, output = measured.command(arguments, cwd=self.place.folder, allowed=(0, 1))
        taken.answer = tuple(map(int, output.split()))
        return taken


class Engine:
    """The check engine alone, without broker, database and rules; of these programs or of another build's."""

    def __init__(self, place, name, program):
        self.place, self.name, self.program = place, name, str(program)

    def round(self, urls):
        # It fails if a link is not up.
        taken, _ = measured.command([self.program, "check", _write(self.place, urls)], cwd=self.place.folder)
        taken.answer = (len(urls), 0)
        return taken


class Lychee:
    def __init__(self, place, at_once):
        self.place, self.at_once = place, at_once
        self.name = f"lychee, {at_once} at once"

    def round(self, urls):
        # Its per-host limits are taken away, and nothing is tried again, as with the others. It searches no backlink.
        arguments = [self.place.lychee_program, "--no-progress", "--format", "json", "--timeout", "5", "--max-retries", "0"]
        arguments += ["--max-concurrency", str(self.at_once), "--host-concurrency", "64", "--host-request-interval", "0ms"]
        taken, output = measured.command([*arguments, _write(self.place, urls)], cwd=self.place.folder, allowed=(0, 2))
        report = json.loads(output)
        taken.answer = (report["successful"], report["total"] - report["successful"])
        return taken


class Embedded:
    """`linkbeat check` of links that are stored, on SQLite."""

    name = "linkbeat check, embedded"

    def __init__(self, place):
        self.place = place

    def round(self, urls):
        folder = Path(tempfile.mkdtemp(dir=self.place.folder))
        database = f"sqlite://{folder}/linkbeat.db"
        _import(self.place, urls, database)
        taken = self._check(folder, database)
        shutil.rmtree(folder)
        return taken

    def _check(self, folder, database):
        environment = dict(os.environ, LINKBEAT_DATABASE_URL=database)
        arguments = [self.place.program("linkbeat"), "check", "--backlink", BACKLINK, "--allow-network", "127.0.0.0/8"]
        taken, output = measured.command([*arguments, "--format", "json"], cwd=folder, env=environment, allowed=(0, 1))
        taken.answer = _counts(json.loads(output))
        return taken


class Stored(Embedded):
    """The same, but all rounds share one database."""

    checks = 0
    """What it holds before the first round."""

    def store(self, urls):
        self.folder = Path(tempfile.mkdtemp(dir=self.place.folder))
        self.database = f"sqlite://{self.folder}/linkbeat.db"
        _import(self.place, urls, self.database, self.checks)

    def round(self, urls):
        return self._check(self.folder, self.database)

    def close(self):
        shutil.rmtree(self.folder)


class Fleet:
    """A producer, workers and a recorder over RabbitMQ and PostgreSQL, and `linkbeat run --wait` of stored links."""

    checks = 0
    """What its database holds before the first round."""

    def __init__(self, place, workers=1, worker_options=(), celery_queue=None):
        self.place = place
        self.name = f"linkbeat fleet, {workers} worker{'s' * (workers > 1)}"
        self.namespace = f"bench-{uuid.uuid4().hex[:8]}"
        self.environment = dict(
            os.environ,
            LINKBEAT_DATABASE_URL=place.new_database(),
            LINKBEAT_BROKER_URL=place.broker_url,
            LINKBEAT_NAMESPACE=self.namespace,
            LINKBEAT_LOG="error",
        )
        if celery_queue:
            self.environment |= {"LINKBEAT_CELERY_QUEUES": celery_queue, "LINKBEAT_CELERY_TASKS": "linkbeat.check"}
        self._run("migrate")
        worker = ["worker", "--allow-network", "127.0.0.0/8", *worker_options]
        self.roles = {"producer": self._start("producer"), "recorder": self._start("recorder")}
        self.roles |= {f"worker {n + 1}": self._start(*worker) for n in range(workers)}
        time.sleep(2)

    def store(self, urls):
        _import(self.place, urls, self.environment["LINKBEAT_DATABASE_URL"], self.checks)

    def round(self, _urls):
        # Servers that others use as well count by what they used during this round.
        watched = {name: process.pid for name, process in self.roles.items()}
        watched |= {"RabbitMQ": self.place.broker_pid, "PostgreSQL": self.place.database_pid}
        before = {name: measured.cpu(process) for name, process in watched.items()}
        arguments = [self.place.program("linkbeat"), "run", "--wait", "--backlink", BACKLINK, "--format", "json"]
        taken, output = measured.command(arguments, cwd=self.place.folder, env=self.environment, allowed=(0, 1))
        # What is done after the report, such as acknowledging, belongs to the run.
        time.sleep(0.5)
        taken.shares = {name: measured.cpu(process) - before[name] for name, process in watched.items()}
        taken.shares["linkbeat run"] = taken.cpu
        taken.cpu = sum(taken.shares.values())
        taken.memory = sum(measured.peak_memory(process.pid) for name, process in self.roles.items() if "worker" in name)
        taken.answer = _counts(json.loads(output))
        return taken

    def _start(self, *arguments):
        return subprocess.Popen([self.place.program("linkbeat"), *arguments], env=self.environment, cwd=self.place.folder)

    def _run(self, *arguments):
        measured.command([self.place.program("linkbeat"), *arguments], cwd=self.place.folder, env=self.environment)

    def close(self):
        _stop(self.roles.values())


class Original:
    """What linkbeat replaces: a Celery worker with two processes, aiohttp, Django's ORM; so many links a task."""

    def __init__(self, place, chunk):
        self.place, self.chunk = place, chunk
        self.name = f"Celery + aiohttp + Django, {chunk} a task"
        self.environment = dict(
            os.environ, ORIGINAL_BROKER_URL=place.broker_url, ORIGINAL_DATABASE_URL=place.new_database(), PYTHONPATH="."
        )
        self.python = str(Path(sys.executable).absolute())
        arguments = [self.python, "-m", "celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "ERROR"]
        self.worker = subprocess.Popen(arguments, cwd=HERE / "original", env=self.environment, stdout=subprocess.DEVNULL)
        time.sleep(4)

    def store(self, urls):
        lines = "\n".join(urls).encode()
        subprocess.run([self.python, "drive.py", "fill"], cwd=HERE / "original", env=self.environment, input=lines, check=True)

    def drive(self, *arguments):
        taken, output = measured.command([self.python, "drive.py", *arguments], cwd=HERE / "original", env=self.environment)
        return taken, json.loads(output)

    def round(self, _urls):
        watched = {"worker": self.worker.pid, "RabbitMQ": self.place.broker_pid, "PostgreSQL": self.place.database_pid}
        before = {name: measured.cpu(process) for name, process in watched.items()}
        taken, told = self.drive("all", str(self.chunk), BACKLINK)
        # From the first task to the last result: Python's start is not counted.
        taken.wall = told["wall"]
        taken.shares = {name: measured.cpu(process) - before[name] for name, process in watched.items()}
        taken.cpu = sum(taken.shares.values())
        taken.memory = measured.peak_memory(self.worker.pid)
        taken.answer = (told["shown"], told["hidden"])
        return taken

    def close(self):
        _stop([self.worker])


def _import(place, urls, database, checks=0):
    """Stores links, and so many checks of them."""
    environment = dict(os.environ, LINKBEAT_DATABASE_URL=database)
    measured.command([place.program("linkbeat"), "links", "import", _write(place, urls)], cwd=place.folder, env=environment)
    if checks:
        measured.command([place.program("linkbeat-bench"), "fill", database, str(checks)], cwd=place.folder)


def _counts(report):
    data = report["data"]
    return data["up"], data["checked"] - data["up"]


def _write(place, urls):
    path = place.folder / "links.txt"
    path.write_text("\n".join(urls) + "\n")
    return str(path)


def _stop(processes):
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
