"""`./xylem test`: what decides green. Without arguments: unit, scenarios, attacks, e2e, cluster, fuzz."""

import argparse
import asyncio
import concurrent.futures
import functools
import glob
import importlib.util
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(ROOT, "deploy", "local"))

import build  # pylint: disable=wrong-import-position
import packages  # pylint: disable=wrong-import-position
import postgres  # pylint: disable=wrong-import-position
import sanitizers  # pylint: disable=wrong-import-position
from cluster import Cluster, Unsound, leave_standing  # pylint: disable=wrong-import-position
from scenario import Mismatch, Play, Stage  # pylint: disable=wrong-import-position

# What plays of service features expect.
SCENARIO_SETTINGS = (
    "administrators=[admin@localhost, operator@localhost]",
    "business.contacts.abuse=[mailto:abuse@localhost]",
    "business.contacts.outage_status=[https://status.localhost/outage.json]",
    "business.external_services=[{type: stun, host: stun.localhost, port: 3478}, "
    "{type: turn, host: turn.localhost, port: 3478, transport: udp, secret: '${env:XYLEM_TEST_TURN_SECRET}'}]",
)
STORES = ("sqlite", "postgres")
DEFAULT = ("unit", "scenarios", "attacks", "e2e", "cluster", "fuzz")


class Tally:
    """What passed and what did not; printed as one plain closing line."""

    def __init__(self):
        self.passed, self.failed = 0, []

    def add(self, name, error=None):
        if error is None:
            self.passed += 1
            print(f"  ok    {name}", flush=True)
        else:
            self.failed.append(name)
            print(f"  FAIL  {name}\n        {error}", flush=True)


def unit(tally, preset):
    packages.ensure(postgres.PACKAGES)
    build.build(preset)
    result = subprocess.run([*sanitizers.prefix(preset), "ctest", "--test-dir", build.preset_dir(preset),
                             "--output-on-failure", "-j", "2"], env=sanitizers.environment(), check=False)
    if result.returncode == 0:
        tally.add(f"unit tests ({preset})")
    else:
        tally.add(f"unit tests ({preset})", "ctest failed")


def scenario_files(pattern=""):
    paths = sorted(glob.glob(os.path.join(ROOT, "tests", "scenarios", "**", "*.scs"), recursive=True))
    return [p for p in paths if pattern in p]


def scenarios(tally, preset, pattern="", stores=STORES):
    """Each play twice on each store: everybody on one manager, and each actor on another one."""
    build.build(preset, ["connmgr", "business", "xylemctl"])
    plays = [Play(path) for path in scenario_files(pattern)]
    os.environ["XYLEM_TEST_TURN_SECRET"] = "north"
    for store in stores:
        name = f"scenarios: every process ended well ({preset}, {store})"
        try:
            with Cluster(preset=preset, sets=SCENARIO_SETTINGS, store=store) as cluster:
                play_all(tally, cluster, plays)
            tally.add(name)
        except Unsound as error:
            tally.add(name, error)


def new_accounts(cluster, play):
    """What a play before this one left (archives, rosters …) is none of its business."""
    passwords = {v["jid"].partition("@")[0]: v["password"] for v in play.actors.values()}
    for name, password in passwords.items():
        if name in cluster.users:
            cluster.ctl("user", "del", f"{name}@{cluster.domain}")
        cluster.add_user(name, password)


def play_all(tally, cluster, plays):
    one = lambda actor: cluster.manager_address(1)
    for play in plays:
        order = list(play.actors)
        other = lambda actor, order=order: cluster.manager_address(1 + order.index(actor) % 2)
        back = lambda actor, order=order: cluster.manager_address(2 - order.index(actor) % 2)
        for where, place, elsewhere in (("one manager", one, one), ("two managers", other, back)):
            name = f"{os.path.relpath(play.path, ROOT)}: {play.title} ({where}, {cluster.store})"
            try:
                new_accounts(cluster, play)
                asyncio.run(Stage(cluster, place, elsewhere=elsewhere).play(play))
                tally.add(name)
            except Mismatch as error:
                tally.add(name, error)


def load_module(folder, path):
    """By its folder, too: suites may have files of one name."""
    name = f"{folder}_{os.path.basename(path)[:-3]}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def python_suite(folder):
    """Modules test_*.py of tests/<folder>; each offers TESTS: name → coroutine function or function
    that takes the preset."""
    def run(tally, preset, pattern=""):
        build.build(preset, ["connmgr", "business", "xylemctl"])
        directory = os.path.join(ROOT, "tests", folder)
        sys.path.insert(0, directory)
        for path in sorted(glob.glob(os.path.join(directory, "test_*.py"))):
            module = load_module(folder, path)
            if hasattr(module, "PACKAGES"):
                packages.ensure(module.PACKAGES)
            for name, test in module.TESTS.items():
                if pattern and pattern not in name and pattern not in path:
                    continue
                begin = time.monotonic()
                try:
                    outcome = test(preset)
                    if asyncio.iscoroutine(outcome):
                        asyncio.run(outcome)
                    tally.add(f"{folder}: {name} ({time.monotonic() - begin:.1f} s)")
                except Exception as error:  # pylint: disable=broad-except
                    import traceback
                    traceback.print_exc()
                    tally.add(f"{folder}: {name}", repr(error))
        problems = leave_standing()
        if problems:
            tally.add(f"{folder}: every process ended well", "\n".join(problems))
    return run


def fuzz(tally, preset, seconds="20"):
    """libFuzzer targets, each for some seconds, as many at a time as there are cores. They begin with
    what tests/fuzz/corpus and earlier runs on this host have found."""
    del preset
    packages.ensure(["clang", "libclang-rt-14-dev"])
    build.build("fuzz", ["fuzzers"])
    targets = sorted(glob.glob(os.path.join(build.preset_dir("fuzz"), "fuzz", "*_fuzzer")))
    if not targets:
        tally.add("fuzz", "no target was built")
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for target, result in zip(targets, pool.map(lambda target: fuzz_one(target, seconds), targets)):
            runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", result.stdout)
            tally.add(f"fuzz: {os.path.basename(target)}, {seconds} s, {runs.group(1) if runs else '?'} inputs",
                      f"exit code {result.returncode}\n{result.stdout[-6000:]}" if result.returncode else None)


def fuzz_one(target, seconds):
    name = os.path.basename(target)
    corpus = os.path.join(build.preset_dir("fuzz"), "corpus", name)
    os.makedirs(corpus, exist_ok=True)
    seeds = os.path.join(ROOT, "tests", "fuzz", "corpus", name.removesuffix("_fuzzer"))
    command = [*sanitizers.prefix("fuzz"), target, corpus, *([seeds] if os.path.isdir(seeds) else []),
               f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=10", f"-artifact_prefix={corpus}-"]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          env=sanitizers.environment(), check=False)


def sanitized(preset):
    def run(tally, _, pattern=""):
        unit(tally, preset)
        scenarios(tally, preset, pattern, [Cluster.store])
    return run


def model(tally, _preset, pattern=""):
    """The model's larger bounds; of the release build, since it is a minute's work there."""
    build.build("release", ["model"])
    result = subprocess.run([build.binary("release", "model"), "--large", "--bounds", pattern], check=False)
    tally.add("model: the larger bounds hold", None if result.returncode == 0 else "see the trace")


SUITES = {
    "unit": unit,
    "scenarios": scenarios,
    "attacks": python_suite("attacks"),
    "e2e": python_suite("e2e"),
    "cluster": python_suite("cluster"),
    "interop": python_suite("interop"),
    "fuzz": fuzz,
    "model": model,
    "asan": sanitized("asan"),
    "tsan": sanitized("tsan"),
}


def main(arguments):
    parser = argparse.ArgumentParser(prog="./xylem test", description=__doc__)
    parser.add_argument("suite", nargs="?", default="", choices=["", *SUITES])
    parser.add_argument("argument", nargs="*", help="part of a test's name; for fuzz: seconds a target")
    parser.add_argument("--preset", default="dev")
    parser.add_argument("--store", choices=STORES,
                        help="of the clusters; without it SQLite, and each in turn for the scenarios")
    options = parser.parse_args(arguments)
    if options.store:
        Cluster.store = options.store
        SUITES["scenarios"] = functools.partial(scenarios, stores=[options.store])
    tally = Tally()
    begin = time.monotonic()
    for name in [options.suite] if options.suite else DEFAULT:
        print(f"== {name}", flush=True)
        SUITES[name](tally, options.preset, *options.argument)
    for name in tally.failed:
        print(f"failed: {name}")
    print(f"{time.monotonic() - begin:.0f} s")
    print(f"{tally.passed} passed, {len(tally.failed)} failed")
    return 1 if tally.failed else 0
