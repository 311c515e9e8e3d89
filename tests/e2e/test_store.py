"""xylemctl store: tables are made and checked, with a server's help and without, on both engines."""

import json
import os
import subprocess

import build
from cluster import Cluster


def store(preset):
    for engine, name in (("sqlite", "SQLite"), ("postgres", "PostgreSQL")):
        with Cluster(managers=1, business=1, preset=preset, store=engine) as cluster:
            config = os.path.join(cluster.data, "config", "business-1.yaml")
            asked = json.loads(cluster.ctl("--json", "store", "check").stdout)
            assert asked["healthy"] and name in asked["store"]["engine"], asked
            assert asked["store"]["schema"] == asked["store"]["known"] >= 2 and asked["store"]["write_us"] > 0, asked
            # Without a server, while one is at work.
            alone = lambda *a: subprocess.run([build.binary(preset, "xylemctl"), "--json", "store", *a],
                                              capture_output=True, text=True, check=False)
            own = alone("check", "--business", config)
            assert own.returncode == 0 and json.loads(own.stdout)["healthy"], own
            nothing = json.loads(alone("migrate", "--business", config).stdout)["store"]
            assert nothing["schema_before"] == nothing["schema"], nothing
            if engine == "postgres":
                postgres(cluster, alone)


def postgres(cluster, alone):
    """A database that no server has seen yet; what is wrong with one; and one that is not reached."""
    cluster.psql("CREATE DATABASE other")
    secret = os.path.join(cluster.data, "secrets", "postgres")
    at = cluster.process("postgres")["addresses"]["postgres"]
    other = ("--url", f"postgresql://xylem@{at}/other", "--password-file", secret)
    fresh = alone("check", *other)
    assert fresh.returncode == 0 and json.loads(fresh.stdout)["store"]["schema"] == 0, fresh
    made = json.loads(alone("migrate", *other).stdout)["store"]
    assert made["schema_before"] == 0 and made["schema"] >= 2, made

    cluster.psql("UPDATE archive SET mark = position + 1; INSERT INTO account VALUES ('x@localhost', 'localhost', 0, 0, 0)")
    for bad in (alone("check", "--url", f"postgresql://xylem@{at}/postgres", "--password-file", secret),
                cluster.ctl("--json", "store", "check", check=False)):
        told = json.loads(bad.stdout)
        assert bad.returncode == 1 and not told["healthy"], bad
        assert any("x@localhost has no keys" in fault for fault in told["store"]["faults"]), told

    wrong = os.path.join(cluster.data, "wrong")
    with open(wrong, "w", encoding="utf-8") as out:
        out.write("wrong\n")
    for arguments, code, sentence in (
            (("--url", f"postgresql://xylem@{at}/other", "--password-file", wrong), 5, "password authentication failed"),
            (("--url", f"postgresql://xylem@{at}/nowhere", "--password-file", secret), 5, "does not exist"),
            (("--url", f"postgresql://xylem:secret@{at}/other"), 2, "password does not belong into the URL"),
            (("--url", "postgresql://xylem@127.0.0.1:1/other", "--password-file", secret), 5, "refused")):
        for verb in ("check", "migrate"):
            result = alone(verb, *arguments)
            error = json.loads(result.stdout)["error"]
            assert result.returncode == code and sentence in error["text"], (verb, arguments, result)


TESTS = {"xylemctl store": store}
