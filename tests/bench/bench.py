"""`./xylem bench`: CPU of all server processes per unit of work, rates, latency, memory; peers in
the same run, interleaved. Reports, never asserts."""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in (HERE, os.path.join(ROOT, "deploy", "local"), os.path.join(ROOT, "tests", "harness")):
    sys.path.insert(0, folder)

import build  # pylint: disable=wrong-import-position
import packages  # pylint: disable=wrong-import-position
from cluster import Cluster  # pylint: disable=wrong-import-position
from peers import PEERS, scram_rows  # pylint: disable=wrong-import-position

TICK = os.sysconf("SC_CLK_TCK")
PASSWORD = "secret"


class Xylem:
    """Xylem as a participant: connects to the managers, or through HAProxy."""

    name = "xylem"

    def __init__(self, options):
        tls = "optional" if options.tls == "none" else "required"
        self.through = options.through_haproxy
        self.cluster = Cluster(managers=options.managers, business=options.business, preset=options.preset,
                               sets=(f"c2s.tls={tls}", *self.history(options), *options.set))

    def __enter__(self):
        self.cluster.__enter__()
        return self

    def __exit__(self, *arguments):
        self.cluster.__exit__(*arguments)

    @staticmethod
    def history(options):
        """Peers measured without archive and offline messages are measured against the same."""
        return () if options.archive else ("archive.enabled=false", "offline.enabled=false")

    def addresses(self):
        if self.through:
            return [self.cluster.endpoint("c2s")]
        return [self.cluster.manager_address(i + 1) for i in range(len(self.cluster.ids("connmgr")))]

    def pids(self):
        tiers = {}
        for p in self.cluster.status["processes"]:
            if p["tier"] != "haproxy" or self.through:
                tiers.setdefault(p["tier"], []).append(p["pid"])
        return tiers

    def add_users(self, names, password):
        """Thousands at once: rows as the store writes them."""
        rows = scram_rows(password)
        path = os.path.join(self.cluster.data, "store", "xylem.db")
        now = int(time.time())
        with sqlite3.connect(path, timeout=30) as database:
            for name in names:
                jid = f"{name}@localhost"
                database.execute("INSERT INTO account (jid, domain, created, password_changed, locked) "
                                 "VALUES (?, ?, ?, ?, 0) ON CONFLICT DO NOTHING", (jid, "localhost", now, now))
                database.executemany(
                    "INSERT INTO credential (jid, hash, iterations, salt, stored_key, server_key) "
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", [(jid, *row) for row in rows])


def cpu_seconds(pids):
    """User and system time of processes, threads included."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as text:
                fields = text.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICK


def memory_kib(pids):
    """Proportional set size."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
                total += next(int(line.split()[1]) for line in text if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total


class Generator:
    """One or more load processes that act as one."""

    def __init__(self, server, options, mode, clients, rate=0.0):
        self.processes = []
        share = clients // options.generators // 2 * 2
        for i in range(options.generators):
            command = [os.path.join(build.preset_dir("release"), "bin", "load"), "--mode", mode, "--tls", options.tls,
                       "--mechanism", options.mechanism, "--first", str(i * share), "--clients", str(share),
                       "--window", str(options.window), "--rate", str(rate / options.generators),
                       "--body", str(options.body), "--seconds", str(options.seconds), "--warmup", str(options.warmup),
                       "--sources", str(options.sources), "--logging-in", str(options.logging_in),
                       *(["--stream-management"] if options.stream_management else []),
                       "--address", *server.addresses()]
            self.processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))

    def read(self):
        lines = []
        for process in self.processes:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError("the load generator ended")
            lines.append(json.loads(line))
        return lines

    def go(self):
        for process in self.processes:
            process.stdin.write("go\n")
            process.stdin.flush()

    def quit(self):
        for process in self.processes:
            try:
                process.stdin.write("q\n")
                process.stdin.close()
            except OSError:
                pass
        for process in self.processes:
            process.wait(30)


def flat(tiers):
    return [pid for pids in tiers.values() for pid in pids]


def measure_chat(server, options):
    generator = Generator(server, options, "chat", options.pairs * 2, options.rate)
    tiers = server.pids()
    try:
        generator.read()
        generator.go()
        time.sleep(options.warmup)
        before = {tier: cpu_seconds(pids) for tier, pids in tiers.items()}
        time.sleep(options.seconds)
        used = {tier: cpu_seconds(pids) - before[tier] for tier, pids in tiers.items()}
        results = generator.read()
    finally:
        generator.quit()
    measured = sum(r["measured"] for r in results)
    total = {key: sum(r[key] for r in results) for key in ("sent", "received", "lost", "doubled", "misordered",
                                                           "errors", "disconnected")}
    return {"messages_per_s": round(measured / options.seconds),
            "cpu_us_per_message": round(sum(used.values()) * 1e6 / max(measured, 1), 1),
            **{f"cpu_us_{tier}": round(value * 1e6 / max(measured, 1), 1) for tier, value in used.items()},
            **{key: max(r[key] for r in results) for key in ("p50_us", "p99_us", "p999_us")}, **total}


def measure_login(server, options):
    tiers = server.pids()
    before = {tier: cpu_seconds(pids) for tier, pids in tiers.items()}
    generator = Generator(server, options, "login", options.clients)
    try:
        ready = generator.read()
        used = {tier: cpu_seconds(pids) - before[tier] for tier, pids in tiers.items()}
    finally:
        generator.quit()
    clients = sum(r["clients"] for r in ready)
    return {"logins_per_s": round(clients / max(r["seconds"] for r in ready)),
            "cpu_ms_per_login": round(sum(used.values()) * 1e3 / max(clients, 1), 3),
            **{f"cpu_ms_{tier}": round(value * 1e3 / max(clients, 1), 3) for tier, value in used.items()},
            "login_p50_us": max(r["login_p50_us"] for r in ready), "login_p99_us": max(r["login_p99_us"] for r in ready),
            "failed": sum(r["failed"] for r in ready)}


def measure_idle(server, options):
    tiers = server.pids()
    before = {tier: memory_kib(pids) for tier, pids in tiers.items()}
    generator = Generator(server, options, "idle", options.clients)
    try:
        clients = sum(r["clients"] for r in generator.read())
        time.sleep(3)
        used = {tier: memory_kib(pids) - before[tier] for tier, pids in tiers.items()}
        cpu = cpu_seconds(flat(tiers))
        time.sleep(options.seconds)
        idle_cpu = cpu_seconds(flat(tiers)) - cpu
    finally:
        generator.quit()
    return {"connections": clients, "kib_per_connection": round(sum(used.values()) / max(clients, 1), 2),
            **{f"kib_{tier}": round(value / max(clients, 1), 2) for tier, value in used.items()},
            "idle_cpu_percent_of_core": round(100 * idle_cpu / options.seconds, 2)}


MEASURES = {"chat": measure_chat, "login": measure_login, "idle": measure_idle}


def participants(options, certificate, key):
    yield "xylem", lambda: Xylem(options)
    for name in filter(None, options.against.split(",")):
        if name not in PEERS:
            sys.exit(f"bench: no peer '{name}'; there are {', '.join(PEERS)}")
        packages.ensure(PEERS[name].packages + (PEERS[name].archive_packages if options.archive else []))
        yield name, lambda name=name: PEERS[name](certificate, key, options.archive, options.stream_management)


def certificate_files():
    import pki
    directory = os.path.join(ROOT, "build", "bench-tls")
    pki.make_certificates(directory, "localhost")
    return os.path.join(directory, "server.pem"), os.path.join(directory, "server.key")


def run(options):
    """Rounds interleaved over the servers; returns name → list of results."""
    names = [f"load{i}" for i in range(max(options.clients, options.pairs * 2))]
    results = {}
    for round_number in range(options.rounds):
        for name, make in participants(options, *certificate_files()):
            with make() as server:
                server.add_users(names, PASSWORD)
                result = MEASURES[options.what](server, options)
            results.setdefault(name, []).append(result)
            print(f"round {round_number + 1} {name}: {json.dumps(result)}", file=sys.stderr, flush=True)
    return results


def table(results):
    keys = list(dict.fromkeys(key for rounds in results.values() for r in rounds for key in r))
    width = max(len(key) for key in keys)
    lines = [" " * width + "".join(f"{name:>14}" for name in results)]
    for key in keys:
        row = f"{key:<{width}}"
        for rounds in results.values():
            values = [r[key] for r in rounds if key in r]
            row += f"{statistics.median(values):>14.6g}" if values else f"{'':>14}"
        lines.append(row)
    return "\n".join(lines)


def main(arguments):
    parser = argparse.ArgumentParser(prog="./xylem bench", description=__doc__)
    parser.add_argument("what", choices=list(MEASURES))
    parser.add_argument("--tls", nargs="?", const="starttls", default="none", choices=["none", "starttls", "direct"])
    parser.add_argument("--against", default="", help="prosody,ejabberd")
    parser.add_argument("--rounds", type=int, default=1, help="medians are shown")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--clients", type=int, default=2000, help="idle, login")
    parser.add_argument("--window", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0, help="messages/s, open loop; 0 = saturated")
    parser.add_argument("--body", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warmup", type=float, default=2)
    parser.add_argument("--mechanism", default="SCRAM-SHA-1")
    parser.add_argument("--generators", type=int, default=1)
    parser.add_argument("--sources", type=int, default=4)
    parser.add_argument("--logging-in", type=int, default=32)
    parser.add_argument("--managers", type=int, default=2)
    parser.add_argument("--business", type=int, default=2)
    parser.add_argument("--through-haproxy", action="store_true")
    parser.add_argument("--archive", action="store_true", help="messages are archived, by everybody (XEP-0313)")
    parser.add_argument("--stream-management", action="store_true", help="clients count and may resume (XEP-0198)")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--preset", default="release")
    parser.add_argument("--json", help="write the results there, too")
    options = parser.parse_args(arguments)
    build.build("release", ["load"])
    build.build(options.preset, ["connmgr", "business", "xylemctl"])
    results = run(options)
    print(table(results))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump({"options": vars(options), "results": results}, out, indent=2)
    return 0
