"""What the tests of the pages stand on: small sites, linkbeat with its dashboard, a proxy, and a browser."""

import http.client
import http.server
import json
import os
import pathlib
import re
import select
import signal
import socketserver
import subprocess
import tempfile
import threading
import time

from playwright.sync_api import sync_playwright

BINARY = os.environ["LINKBEAT_BINARY"]
AXE = pathlib.Path(os.environ.get("LINKBEAT_TEST_AXE", os.devnull)).read_text()
CHROMIUM = os.environ.get("LINKBEAT_TEST_CHROMIUM", "/usr/bin/chromium")
# Nothing that a person waits for takes longer.
PATIENCE = 30.0


class Threaded(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Sites:
    """Each path is a site, on a host of its own. `state` says what it answers: a status, and after how many seconds."""

    def __init__(self):
        self.state = {}
        self.servers = {}
        sites = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, delay = sites.state.get(self.path, (200, 0.0))
                time.sleep(delay)
                body = b"<title>A friend</title><a href='https://me.example/'>me</a>"
                self.send_response(status)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.handler = Handler

    def url(self, path):
        if path not in self.servers:
            server = Threaded((f"127.0.0.{len(self.servers) + 2}", 0), self.handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers[path] = server
        host, port = self.servers[path].server_address
        return f"http://{host}:{port}{path}"


class Proxy:
    """Serves another server under a path, as a web server does."""

    def __init__(self, port, path):
        class Handler(http.server.BaseHTTPRequestHandler):
            def forward(self):
                if not self.path.startswith(path):
                    return self.send_error(404)
                length = int(self.headers.get("content-length", 0))
                upstream = http.client.HTTPConnection("127.0.0.1", port)
                upstream.request(self.command, self.path, self.rfile.read(length), dict(self.headers))
                answer = upstream.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("connection", "close")
                self.end_headers()
                while piece := answer.read1(65536):
                    self.wfile.write(piece)
                    self.wfile.flush()

            do_GET = do_POST = forward

            def log_message(self, *_):
                pass

        self.server = Threaded(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}{path}"


class World:
    def __init__(self, servers=None):
        """`servers` are variables that name a database and a broker. Without them the database is a file."""
        self.folder = tempfile.TemporaryDirectory(prefix="linkbeat-browser-")
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LINKBEAT_")},
            "LINKBEAT_DATABASE_URL": f"sqlite://{self.folder.name}/linkbeat.db",
            "LINKBEAT_WORKER_ALLOW_NETWORK": "127.0.0.0/8",
            "LINKBEAT_DASHBOARD_LISTEN": "127.0.0.1:0",
            "LANG": "C.UTF-8",
            **(servers or {}),
        }
        self.sites = Sites()
        self.processes = []

    def run(self, *arguments, statuses=(0, 1)):
        done = subprocess.run([BINARY, *arguments], env=self.env, cwd=self.folder.name, capture_output=True, text=True)
        assert done.returncode in statuses, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, *arguments):
        log = open(f"{self.folder.name}/{len(self.processes)}.log", "w+")
        process = subprocess.Popen([BINARY, *arguments], env=self.env, cwd=self.folder.name, stdout=log, stderr=log)
        self.processes.append(process)
        return process, log.name

    def dashboard(self, *arguments):
        """Starts a dashboard and gives its process and address."""
        process, log = self.start("dashboard", *arguments)
        address = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+[^\s\"]*/", pathlib.Path(log).read_text()))
        return process, address.group(0)

    def import_links(self, links):
        path = pathlib.Path(self.folder.name, "links.json")
        path.write_text(json.dumps(links))
        self.run("links", "import", str(path))

    def links(self):
        return json.loads(self.run("links", "list", "--format", "json"))

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        self.folder.cleanup()


def wait_for(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("nothing came of it in time")


class Browser:
    def __init__(self):
        self.playwright = sync_playwright().start()
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        self.chromium = self.playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)

    def page(self, **options):
        """A page in a context of its own. What it says on its console is kept in `page.said`."""
        context = self.chromium.new_context(**options)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        # A page that is left gives up what it still asked for.
        given_up = "net::ERR_ABORTED"
        page.on("requestfailed", lambda request: page.said.append(f"{request.url}: {request.failure}")
                if request.failure != given_up else None)
        return page

    def end(self):
        self.chromium.close()
        self.playwright.stop()


def violations(page):
    """What axe-core finds wrong, in a line each."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
