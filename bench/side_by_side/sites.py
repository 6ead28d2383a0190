"""The sites that are checked: an nginx for pages that answer at once, linkbeat-bench's server for those that wait.

All loopback addresses are one machine, so each host has an address of its own and none is another's.
"""

import os
import random
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from measured import cpu

BACKLINK = r"https://my\.blog\.example/"
TAIL = '<a href="https://my.blog.example/">my friend</a></body></html>'
PAGE_BYTES = 10 * 1024

CONFIGURATION = """\
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; worker_rlimit_nofile 65536;
events {{ worker_connections 32768; }}
http {{
  access_log off; keepalive_requests 1000000; tcp_nodelay on; sendfile on; open_file_cache max=10;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 0.0.0.0:{port} backlog=65535; root {folder}; default_type text/html; location / {{ try_files /page.html =404; }} }}
}}
"""


def address(host):
    return f"127.{1 + host // 62500}.{host // 250 % 250}.{host % 250 + 1}"


class Sites:
    def __init__(self, folder, programs):
        self.folder = Path(folder) / "sites"
        self.folder.mkdir()
        filler = "<!doctype html><html lang=en><title>A friend</title><body>\n"
        filler += "".join(f'<p>Paragraph {n}, with <a href="https://example.org/{n}">a link</a> in it.</p>\n' for n in range(300))
        (self.folder / "page.html").write_text(filler[: PAGE_BYTES - len(TAIL)] + TAIL)
        # nginx's worker need not be root, and must be able to read the page.
        self.folder.chmod(0o755)
        self.waiting = subprocess.Popen([f"{programs}/linkbeat-bench", "serve"], stdout=subprocess.PIPE, text=True)
        self.waiting_port = int(self.waiting.stdout.readline())
        self.port = free_port()
        settings = self.folder / "nginx.conf"
        settings.write_text(CONFIGURATION.format(folder=self.folder, port=self.port))
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        self.nginx = subprocess.Popen(["nginx", "-c", str(settings), "-p", str(self.folder), *user])
        _answers(f"http://127.0.0.1:{self.port}/")

    def cpu(self):
        return cpu(self.nginx.pid) + cpu(self.waiting.pid)

    def fast(self, hosts, per_host, first=0):
        return [f"http://{address(first + h)}:{self.port}/p{p}" for h in range(hosts) for p in range(per_host)]

    def one_in_ten_hanging(self, hosts, per_host):
        return [
            f"http://{address(h)}:{self.waiting_port}/never/{p}" if p % 10 == 9 else f"http://{address(h)}:{self.port}/p{p}"
            for h in range(hosts)
            for p in range(per_host)
        ]

    def after(self, milliseconds, hosts):
        return [f"http://{address(h)}:{self.waiting_port}/after/{milliseconds}" for h in range(hosts)]

    def blog(self):
        """24 links that answer, and one that never does."""
        return self.fast(24, 1) + [f"http://{address(25)}:{self.waiting_port}/never/0"]

    def close(self):
        for process in (self.nginx, self.waiting):
            process.terminate()
            process.wait()


def free_port():
    """A port below those that systems give to clients: none of these gets it before its server does."""
    for port in random.sample(range(12_000, 32_000), 100):
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            pass
    raise SystemExit("no port is free")


def _answers(url):
    for _ in range(100):
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing answers at {url}")
