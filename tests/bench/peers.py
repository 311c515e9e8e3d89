"""Prosody and ejabberd from Debian as peers of a measurement, tuned as their manuals advise.

Both: empty rosters, no archive, no offline storage, no carbons, no stream management, no traffic
shapers; TLS with the same ECDSA certificate as Xylem's; accounts in their hashed form.
"""

import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_port(port, process, what, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended with {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=0.5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{what} does not listen on {port}")


def descendants(pid):
    """The process and all below it."""
    pids, queue = [], [pid]
    while queue:
        current = queue.pop()
        pids.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                with open(f"/proc/{current}/task/{task}/children", encoding="ascii") as text:
                    queue += [int(child) for child in text.read().split()]
        except OSError:
            pass
    return pids


class Peer:
    """A server in a directory of its own; a context manager."""

    name = ""
    packages = []
    archive_packages = []

    def __init__(self, certificate, key, archive=False, stream_management=False):
        self.certificate, self.key = certificate, key
        self.stream_management = stream_management
        self.archive = archive  # every message goes into both archives (XEP-0313)
        self.data = tempfile.mkdtemp(prefix=f"bench-{self.name}-")
        self.port = free_port()
        self.process = None

    def addresses(self):
        return [f"127.0.0.1:{self.port}"]

    def pids(self):
        return {self.name: descendants(self.process.pid)}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        for pid in reversed(descendants(self.process.pid)):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.data, ignore_errors=True)


class Prosody(Peer):
    name = "prosody"
    packages = ["prosody"]
    archive_packages = ["lua-dbi-sqlite3"]
    tls_starttls = True

    def config(self):
        mam = (', "mam"' if self.archive else "") + (', "smacks"' if self.stream_management else "")
        storage = '{ archive = "sql", default = "internal" }' if self.archive else '"internal"'
        return f"""
run_as_root = true
pidfile = "{self.data}/prosody.pid"
data_path = "{self.data}/data"
daemonize = false
admins = {{}}
network_backend = "epoll"
gc = {{ mode = "generational" }}
modules_enabled = {{ "disco", "roster", "saslauth", "tls", "ping", "version", "time"{mam} }}
modules_disabled = {{ "s2s", "offline", "limits" }}
c2s_ports = {{ {self.port} }}
c2s_interfaces = {{ "127.0.0.1" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_hashed"
storage = {storage}
sql = {{ driver = "SQLite3", database = "{self.data}/archive.sqlite" }}
default_archive_policy = true
archive_expires_after = "never"
log = {{ error = "{self.data}/error.log" }}
c2s_tcp_keepalives = true
ssl = {{ certificate = "{self.certificate}", key = "{self.key}" }}
VirtualHost "localhost"
"""

    def start(self):
        path = os.path.join(self.data, "prosody.cfg.lua")
        with open(path, "w", encoding="utf-8") as out:
            out.write(self.config())
        self.process = subprocess.Popen(["prosody", "-F", "--config", path], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_port(self.port, self.process, "prosody")

    def add_users(self, names, password):
        directory = os.path.join(self.data, "data", "localhost", "accounts")
        os.makedirs(directory, exist_ok=True)
        salt, iterations = "bench-salt-0123456789", 10000
        salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), iterations)
        stored = hashlib.sha1(hmac.digest(salted, b"Client Key", "sha1")).hexdigest()
        server = hmac.digest(salted, b"Server Key", "sha1").hex()
        for name in names:
            with open(os.path.join(directory, name + ".dat"), "w", encoding="ascii") as out:
                out.write(f'return {{ ["iteration_count"] = {iterations}; ["salt"] = "{salt}"; '
                          f'["stored_key"] = "{stored}"; ["server_key"] = "{server}"; }};\n')


class Ejabberd(Peer):
    name = "ejabberd"
    packages = ["ejabberd"]

    def __init__(self, certificate, key, archive=False, stream_management=False):
        super().__init__(certificate, key, archive, stream_management)
        self.http = free_port()
        self.pem = os.path.join(self.data, "server.pem")

    def config(self):
        mam = "  mod_mam: {default: always, db_type: mnesia}\n" if self.archive else ""
        mam += "  mod_stream_mgmt: {}" if self.stream_management else ""
        return f"""
hosts: [localhost]
loglevel: 2
certfiles: ["{self.pem}"]
listen:
  - port: {self.port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    starttls: true
    tls_compression: false
    backlog: 1024
  - port: {self.http}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api
auth_method: internal
auth_password_format: scram
default_db: mnesia
acl:
  loopback: {{ip: ["127.0.0.0/8"]}}
api_permissions:
  "local":
    who: {{ip: "127.0.0.1/8"}}
    what: "*"
c2s_ciphers: "HIGH:!aNULL"
modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_version: {{}}
  mod_time: {{}}
  mod_http_api: {{}}
{mam}
"""

    def start(self):
        with open(self.pem, "w", encoding="ascii") as out:
            for path in (self.key, self.certificate):
                with open(path, encoding="ascii") as text:
                    out.write(text.read())
        path = os.path.join(self.data, "ejabberd.yml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(self.config())
        library = "/usr/lib/" + os.uname().machine + "-linux-gnu"
        environment = dict(os.environ, EJABBERD_CONFIG_PATH=path, EJABBERD_LOG_PATH=f"{self.data}/ejabberd.log",
                           EJABBERD_PID_PATH=f"{self.data}/pid", HOME=self.data, ERL_LIBS=library,
                           ERL_MAX_PORTS="20000", ERL_CRASH_DUMP="/dev/null")
        log = open(os.path.join(self.data, "erl.log"), "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            ["erl", "-noinput", "-boot", "start_sasl", "+K", "true", "+P", "250000", "+Q", "20000",
             "-mnesia", "dir", f'"{self.data}/mnesia"', "-sasl", "sasl_error_logger", "false",
             "-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-s", "ejabberd"],
            env=environment, cwd=self.data, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_port(self.port, self.process, "ejabberd", 60)
        wait_port(self.http, self.process, "ejabberd", 60)

    def add_users(self, names, password):
        for name in names:
            body = json.dumps({"user": name, "host": "localhost", "password": password}).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{self.http}/api/register", data=body,
                                             headers={"Content-Type": "application/json"})
            try:
                urllib.request.urlopen(request, timeout=30).close()
            except urllib.error.HTTPError as error:
                if error.code != 409:
                    raise


def scram_rows(password, iterations=10000):
    """(hash, iterations, salt, stored key, server key) for Xylem's store."""
    salt = b"bench-salt-0123456789"
    rows = []
    for name in ("sha1", "sha256", "sha512"):
        salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations)
        stored = hashlib.new(name, hmac.digest(salted, b"Client Key", name)).digest()
        server = hmac.digest(salted, b"Server Key", name)
        rows.append((name.upper().replace("SHA", "SHA-"), iterations, salt, stored, server))
    return rows


PEERS = {peer.name: peer for peer in (Prosody, Ejabberd)}
__all__ = ["PEERS", "Peer", "descendants", "scram_rows"]
