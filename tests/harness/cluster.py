"""Starts a real cluster through ./xylem up on free ports, and ends it; guesses nothing."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

import sanitizers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
XYLEM = os.path.join(ROOT, "xylem")


class Unsound(AssertionError):
    """A process of the cluster ended as none may, or a sanitizer reported."""


class Cluster:
    """A context manager; `status` is what ./xylem status --json says. Leaving it raises Unsound when a
    process crashed, or ended with an exit code, or wrote a sanitizer's report, whatever the test saw."""

    store = "sqlite"  # of those that do not say: ./xylem test --store
    standing = []  # clusters that outlive one test: the suite leaves them (leave_standing)

    def __init__(self, managers=2, business=2, domain="localhost", sets=(), restart=True, preset="dev", keep=False,
                 store=""):
        self.data = tempfile.mkdtemp(prefix="xylem-test-")
        self.keep = keep
        self.domain = domain
        self.store = store or Cluster.store
        self.arguments = ["--managers", str(managers), "--business", str(business), "--domain", domain,
                          "--preset", preset, "--no-build", "--store", self.store]
        for assignment in ("ports.c2s=0", "ports.c2s_tls=0", "ports.admin=0", *sets):
            self.arguments += ["--set", assignment]
        if not restart:
            self.arguments.append("--no-restart")
        self.users = {}
        self.prefix = sanitizers.prefix(preset)
        self.signals = {}  # id → what the test sent it

    def __enter__(self):
        result = self.run("up", *self.arguments, check=False)
        if result.returncode != 0:
            text = result.stdout + result.stderr
            self.__exit__(RuntimeError, None, None)
            raise RuntimeError(f"./xylem up failed:\n{text}")
        for name in ("admin", "alice", "bob"):
            with open(os.path.join(self.data, "secrets", f"password-{name}@{self.domain}"), encoding="utf-8") as text:
                self.users[name] = text.read().strip()
        return self

    def __exit__(self, kind, value, trace):
        self.run("down", check=False)
        faults = self.faults()
        if kind is not None or self.keep or faults:
            print(f"cluster data kept in {self.data}")
        else:
            shutil.rmtree(self.data, ignore_errors=True)
        if faults and kind is None:
            raise Unsound("\n".join(faults))
        for fault in faults:  # another exception is on its way; this may be why
            print(fault, flush=True)

    def run(self, verb, *arguments, check=True, **keywords):
        result = subprocess.run([*self.prefix, XYLEM, verb, "--data", self.data, *arguments], capture_output=True,
                                text=True, check=False, env=sanitizers.environment(), **keywords)
        if check and result.returncode != 0:
            said = (result.stderr or result.stdout).strip()
            raise RuntimeError(f"./xylem {verb} {' '.join(arguments)}: exit code {result.returncode}: {said}")
        return result

    def exits(self):
        """(id, exit code) of each process that ended, in that order; minus a signal's number for one it died of."""
        try:
            with open(os.path.join(self.data, "logs", "supervisor.log"), encoding="utf-8") as lines:
                events = [json.loads(line) for line in lines]
        except FileNotFoundError:
            return []
        return [(event["id"], event["code"]) for event in events if event["event"] == "exit"]

    def faults(self):
        """Sentences about ends that the test did not cause, and sanitizers' reports."""
        ends = [f"{ident}: {sanitizers.exit_sentence(code)}" for ident, code in self.exits()
                if code != 0 and -code not in self.signals.get(ident, ()) and ident != "haproxy"]  # its way to end
        return ends + sanitizers.reports(os.path.join(self.data, "logs"))

    @property
    def status(self):
        return json.loads(self.run("status", "--json").stdout)

    def process(self, ident):
        return next(p for p in self.status["processes"] if p["id"] == ident)

    def ids(self, tier):
        return [p["id"] for p in self.status["processes"] if p["tier"] == tier]

    def endpoint(self, name="c2s"):
        return self.status["endpoints"][name]

    def manager_address(self, number, name="c2s"):
        """A manager's own address, past the load balancer."""
        return self.process(f"connmgr-{number}")["addresses"][name]

    @property
    def ca(self):
        return os.path.join(self.data, "tls", "ca.pem")

    def kill(self, ident, number="SIGKILL", hold=False):
        self.signals.setdefault(ident, set()).add(int(signal.Signals[number]))
        self.run("kill", ident, "--signal", number, *(["--hold"] if hold else []))

    def start(self, ident):
        self.run("start", ident)

    def ctl(self, *arguments, check=True, **keywords):
        return self.run("ctl", *arguments, check=check, **keywords)

    def add_user(self, name, password="secret"):
        self.ctl("user", "add", f"{name}@{self.domain}", "--password-stdin", input=password + "\n")
        self.users[name] = password

    def psql(self, script):
        """Runs SQL on the cluster's PostgreSQL; its output, unaligned and without headers."""
        host, _, port = self.process("postgres")["addresses"]["postgres"].partition(":")
        with open(os.path.join(self.data, "secrets", "postgres"), encoding="utf-8") as text:
            password = text.read().strip()
        return subprocess.run(["psql", "-h", host, "-p", port, "-U", "xylem", "-d", "postgres", "-qtA",
                               "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True, text=True, check=True,
                              env={**os.environ, "PGPASSWORD": password}).stdout

    def redis(self, *arguments):
        """A command to the cluster's Redis, past the cluster; what redis-cli says, nothing if it is away."""
        port = self.process("redis")["addresses"]["redis"].rpartition(":")[2]
        return subprocess.run(["redis-cli", "-p", port, *arguments], capture_output=True, text=True,
                              check=False).stdout.strip()

    def metrics(self, ident):
        """name{labels} → value, of one process."""
        with urllib.request.urlopen(self.process(ident)["admin"] + "/metrics", timeout=5) as answer:
            text = answer.read().decode()
        values = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def metric_sum(self, ident, prefix):
        return sum(v for k, v in self.metrics(ident).items() if k == prefix or k.startswith(prefix + "{"))


async def sessions_over(cluster, manager, left, timeout=10.0):
    """Waits until `manager` has no session and no end that is not confirmed, and business servers know of
    `left` sessions only: whatever its clients had said was dealt with, in whichever way."""
    gauges = [f"xylem_connmgr_{what}" for what in ("sessions", "closing_sessions", "unaccepted_stanzas")]
    def over():
        return (not any(cluster.metric_sum(manager, gauge) for gauge in gauges) and
                sum(cluster.metric_sum(b, "xylem_business_sessions") for b in cluster.ids("business")) == left)
    await eventually(over, f"{manager} has no session, and the cluster {left}", timeout)


def leave_standing():
    """Ends the clusters that tests left standing; sentences about what was wrong with them."""
    problems = []
    while Cluster.standing:
        try:
            Cluster.standing.pop().__exit__(None, None, None)
        except Unsound as error:
            problems.append(str(error))
    return problems


async def eventually(condition, what, timeout=10.0, interval=0.05):
    """Waits until `condition()` (plain or coroutine) is true."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        await asyncio.sleep(interval)
