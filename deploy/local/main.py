"""The verbs of ./xylem."""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time

import build
import control
import pki
import postgres
import probe
from settings import PORTS, Settings

USERS = ("admin", "alice", "bob")


def data_directory(arguments):
    return os.path.abspath(arguments.data or os.environ.get("XYLEM_DATA") or os.path.join(build.ROOT, ".xylem"))


def say(text=""):
    print(text, flush=True)


def fail(text, code=1):
    print(f"xylem: {text}", file=sys.stderr)
    sys.exit(code)


def up(arguments):
    data = data_directory(arguments)
    for tier, count in (("component-host", arguments.component_hosts), ("gateway", arguments.gateways)):
        if count:
            fail(f"the {tier} tier is not part of this release yet; leave --{tier}s out", 64)
    try:
        control.ask(data, "status", timeout=5)
        fail(f"a cluster is running in {data} already; ./xylem status, ./xylem down")
    except control.NotRunning:
        pass
    os.makedirs(data, mode=0o700, exist_ok=True)
    settings = Settings(data)
    if os.path.exists(settings.path):
        settings.internal = Settings.load(data).internal
    settings.domain, settings.managers, settings.business = arguments.domain, arguments.managers, arguments.business
    settings.store = arguments.store
    settings.restart, settings.preset = not arguments.no_restart, arguments.preset
    assignments = list(arguments.set)
    if arguments.config:
        with open(arguments.config, encoding="utf-8") as lines:
            assignments = [line.strip() for line in lines if line.strip() and not line.startswith("#")] + assignments
    for assignment in assignments:
        error = settings.apply_set(assignment)
        if error:
            fail(error, 64)
    if settings.store == "postgres":
        postgres.ensure_packages()
    if not arguments.no_build:
        build.build(settings.preset, ["connmgr", "business", "xylemctl"])
    settings.save()

    begin = time.monotonic()
    log = open(os.path.join(data, "supervisor.log"), "ab")  # pylint: disable=consider-using-with
    supervisor = subprocess.Popen(  # pylint: disable=consider-using-with
        [sys.executable, os.path.join(build.ROOT, "deploy", "local", "supervisor.py"), data],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    status = wait_ready(data, supervisor, arguments.timeout)
    users = make_users(data, settings)
    ca = os.path.join(data, "tls", "ca.pem")
    try:
        took = probe.cross(status["endpoints"]["c2s_tls"], settings.domain, ca,
                           [(name, users[name]) for name in ("alice", "bob")])
    except (OSError, ValueError) as error:
        fail(f"the cluster runs, but no message crossed it: {error}\n  look at ./xylem logs; ./xylem down ends it")
    say(f"Xylem is up: {settings.managers} connection managers, {settings.business} business servers, "
        f"Redis and HAProxy; a message crossed it in {took * 1000:.1f} ms "
        f"({time.monotonic() - begin:.1f} s after the start).")
    say()
    say(f"  XMPP            {status['endpoints']['c2s']} (STARTTLS), {status['endpoints']['c2s_tls']} (direct TLS)")
    say(f"  certificate     signed by {ca}")
    for name in USERS:
        say(f"  account         {name}@{settings.domain}  password {users[name]}")
    say()
    flag = f" --data {arguments.data}" if arguments.data else ""
    say("What to do next:")
    say("  log in with any XMPP client, as alice and as bob, and talk")
    say(f"  ./xylem status{flag}                 what runs, where")
    say(f"  ./xylem ctl{flag} user list          manage users, sessions, managers")
    say(f"  ./xylem kill{flag} business-1 -9     nobody is disconnected")
    say(f"  ./xylem down{flag}                   ends everything")


def wait_ready(data, supervisor, timeout):
    deadline = time.monotonic() + timeout
    status = {}
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            fail(f"the supervisor ended; see {os.path.join(data, 'supervisor.log')}:\n" + tail(
                os.path.join(data, "supervisor.log")))
        try:
            status = control.ask(data, "status", timeout=10)
            if status["processes"] and all(p["state"] == "ready" for p in status["processes"]):
                return status
        except control.NotRunning:
            pass
        time.sleep(0.05)
    waiting = [p for p in status.get("processes", []) if p["state"] != "ready"]
    text = "\n".join(f"{p['id']} ({p['state']}):\n{tail(p['log'])}" for p in waiting)
    try:
        control.ask(data, "down")
    except control.NotRunning:
        pass
    return fail(f"not ready after {timeout:.0f} s: {', '.join(p['id'] for p in waiting) or 'supervisor'}\n{text}")


def tail(path, lines=8):
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            return "".join("    " + line for line in text.readlines()[-lines:])
    except OSError:
        return ""


def ctl_command(data, settings):
    return [build.binary(settings.preset, "xylemctl"), "--address", f"127.0.0.1:{settings.ports['admin']}",
            "--token-file", os.path.join(data, "secrets", "admin-token")]


def make_users(data, settings):
    users = {}
    for name in USERS:
        # Letters and digits that nobody mistakes for others.
        path = pki.secret(os.path.join(data, "secrets"), f"password-{name}@{settings.domain}",
                          lambda: "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(12)))
        users[name] = pki.read(path)
        for attempt in range(20):
            result = subprocess.run(
                ctl_command(data, settings) + ["user", "add", f"{name}@{settings.domain}", "--password-stdin"],
                input=users[name] + "\n", capture_output=True, text=True, check=False)
            if result.returncode in (0, 4):  # 4: it is there already
                break
            if result.returncode != 5 or attempt == 19:  # 5: not reached yet
                fail(f"xylemctl user add {name}: {result.stderr.strip()}")
            time.sleep(0.2)
    return users


def down(arguments):
    data = data_directory(arguments)
    try:
        status = control.ask(data, "status")
        control.ask(data, "down")
    except control.NotRunning as error:
        say(f"nothing to end: {error}")
        return
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and os.path.exists(f"/proc/{status['supervisor']}"):
        time.sleep(0.05)
    left = [p["id"] for p in status["processes"] if p["pid"] and os.path.exists(f"/proc/{p['pid']}")]
    if left:
        fail(f"still running: {', '.join(left)}")
    say("down: no process is left")


def show_status(arguments):
    status = control.ask(data_directory(arguments), "status")
    if arguments.json:
        say(json.dumps(status, indent=2))
        return
    say(f"{status['domain']}  data {status['data']}")
    for name, address in status["endpoints"].items():
        say(f"  {name:<10} {address}")
    for p in status["processes"]:
        addresses = "  ".join(f"{k} {v}" for k, v in p["addresses"].items())
        say(f"  {p['id']:<14} pid {p['pid']:<8} {p['state']:<9} restarts {p['restarts']}  {addresses}")


def logs(arguments):
    status = control.ask(data_directory(arguments), "status")
    wanted = [p["log"] for p in status["processes"] if not arguments.id or p["id"] == arguments.id]
    if not wanted:
        fail(f"no process '{arguments.id}'", 64)
    os.execvp("tail", ["tail", "-n", str(arguments.lines), *(["-F"] if arguments.follow else []), *wanted])


def kill(arguments):
    number = signal.SIGKILL if arguments.nine else signal.Signals[arguments.signal]
    reply = control.ask(data_directory(arguments), "kill", id=arguments.id, signal=int(number), hold=arguments.hold)
    if "error" in reply:
        fail(reply["error"])
    say(f"{number.name} sent to {arguments.id} (pid {reply['pid']})")


def start(arguments):
    reply = control.ask(data_directory(arguments), "start", id=arguments.id)
    if "error" in reply:
        fail(reply["error"])
    say(f"{arguments.id} runs (pid {reply['pid']})")


def ctl(arguments):
    data = data_directory(arguments)
    if os.path.exists(Settings(data).path):
        settings = Settings.load(data)
    elif {"-h", "--help"} & set(arguments.rest):
        settings = Settings(data)
    else:
        return fail(f"no cluster was made in {data} yet; ./xylem up makes one")
    program = build.binary(settings.preset, "xylemctl")
    if not os.path.exists(program):
        return fail(f"{program} is not built yet; ./xylem up builds it")
    return os.execv(program, ctl_command(data, settings) + arguments.rest)


def run_tests(arguments):
    sys.path.insert(0, os.path.join(build.ROOT, "tests", "harness"))
    import run  # pylint: disable=import-error,import-outside-toplevel
    sys.exit(run.main(arguments.rest))


def run_bench(arguments):
    sys.path.insert(0, os.path.join(build.ROOT, "tests", "bench"))
    import bench  # pylint: disable=import-error,import-outside-toplevel
    sys.exit(bench.main(arguments.rest))


def parser():
    top = argparse.ArgumentParser(prog="./xylem", description="Runs a real Xylem cluster on this host.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, function, text, add_help=True):
        sub = verbs.add_parser(name, help=text, description=text, add_help=add_help)
        sub.set_defaults(function=function)
        sub.add_argument("--data", help="data directory (default .xylem beside this script, or XYLEM_DATA)")
        return sub

    sub = verb("up", up, "build what is missing and start a cluster")
    sub.add_argument("--managers", type=int, default=2, help="connection managers (default %(default)s)")
    sub.add_argument("--business", type=int, default=2, help="business servers (default %(default)s)")
    # Understood, and refused with a sentence.
    sub.add_argument("--component-hosts", type=int, default=0, help=argparse.SUPPRESS)
    sub.add_argument("--gateways", type=int, default=0, help=argparse.SUPPRESS)
    sub.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite",
                     help="where accounts and messages are kept; postgres starts one for this cluster")
    sub.add_argument("--domain", default="localhost", help="the domain that is served (default %(default)s)")
    sub.add_argument("--config", help="file with one key=value a line, as --set takes them")
    sub.add_argument("--set", action="append", default=[], metavar="key=value",
                     help=f"any configuration key of any tier; ports.{{{','.join(PORTS)}}} for this host's ports")
    sub.add_argument("--no-restart", action="store_true", help="leave dead what dies")
    sub.add_argument("--preset", default=os.environ.get("XYLEM_PRESET", "release"), help="which build to run")
    sub.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    sub.add_argument("--timeout", type=float, default=40, help="seconds until all is ready (default %(default)s)")
    verb("down", down, "end the cluster")
    verb("status", show_status, "what runs, where").add_argument("--json", action="store_true")
    sub = verb("logs", logs, "the newest log lines")
    sub.add_argument("id", nargs="?", default="")
    sub.add_argument("-n", "--lines", type=int, default=20)
    sub.add_argument("-f", "--follow", action="store_true")
    sub = verb("kill", kill, "end one process (it is started again, unless --hold)")
    sub.add_argument("id")
    sub.add_argument("-9", dest="nine", action="store_true", help="SIGKILL")
    sub.add_argument("--signal", default="SIGTERM", help="SIGSTOP, SIGCONT, SIGHUP …")
    sub.add_argument("--hold", action="store_true", help="leave it dead until ./xylem start")
    verb("start", start, "start one process that was ended").add_argument("id")
    # These have a --help of their own.
    for name, function, text in (
            ("ctl", ctl, "xylemctl for this cluster"),
            ("test", run_tests,
             "the tests: unit, scenarios, attacks, e2e, cluster, interop, fuzz, model, asan, tsan"),
            ("bench", run_bench, "measure: idle, login, chat")):
        verb(name, function, text, add_help=False).add_argument("rest", nargs=argparse.REMAINDER)
    return top


def main():
    arguments, rest = parser().parse_known_args()
    if rest:
        if not hasattr(arguments, "rest"):
            parser().error(f"unknown arguments: {' '.join(rest)}")
        arguments.rest = rest + arguments.rest
    try:
        arguments.function(arguments)
    except control.NotRunning as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
