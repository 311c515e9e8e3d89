"""One run of Smack's integration tests, and what came of it."""

import collections
import os
import shutil
import subprocess
import tempfile

import servers

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ["openjdk-17-jdk-headless", "maven"]
VERSION = "4.5.0-beta5"  # pom.xml's

# outcome: passed, failed, impossible (Smack found the feature missing, or cannot run the test at all)
Outcome = collections.namedtuple("Outcome", "outcome type method connection reason")


def class_path():
    """Smack and what it needs, by Maven."""
    with tempfile.NamedTemporaryFile(mode="r", prefix="interop-classpath-") as out:
        subprocess.run(["mvn", "-q", "-B", "-f", os.path.join(HERE, "pom.xml"), "dependency:build-classpath",
                        f"-Dmdep.outputFile={out.name}"], check=True)
        with open(out.name, encoding="utf-8") as text:
            return text.read().strip()


def run(server, tests="", reply_seconds=10, seconds=1500):
    """The outcomes of all tests (or of those in `tests`, comma-separated classes or Class.method) against a
    server that runs; raises AssertionError where the run did not come to its end."""
    path = class_path()
    data = tempfile.mkdtemp(prefix=f"interop-{server.name}-")
    trust, results, log = (os.path.join(data, name) for name in ("trust.p12", "results.tsv", "smack.log"))
    subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", server.ca, "-keystore", trust,
                    "-storetype", "PKCS12", "-storepass", "changeit"], check=True, capture_output=True)
    properties = {
        "javax.net.ssl.trustStore": trust, "javax.net.ssl.trustStorePassword": "changeit", "user.home": data,
        "sinttest.service": servers.DOMAIN, "sinttest.host": "127.0.0.1",
        "sinttest.replyTimeout": str(reply_seconds * 1000),
        "sinttest.compatibilityMode": "ejabberd" if server.name == "ejabberd" else "standardsCompliant",
        # The administrator makes the accounts by XEP-0133.
        "sinttest.adminAccountUsername": "admin", "sinttest.adminAccountPassword": server.users["admin"],
        **({"sinttest.enabledTests": tests} if tests else {}),
        **({"sinttest.debugger": "console"} if os.environ.get("XYLEM_SMACK_DEBUG") else {}),
    }
    with open(log, "wb") as out:
        code = subprocess.run(
            ["java", "-Xmx512m", *(f"-D{key}={value}" for key, value in properties.items()), "-cp", path,
             os.path.join(HERE, "Smack.java"), str(server.port), results],
            stdout=out, stderr=out, cwd=data, timeout=seconds, check=False).returncode
    assert os.path.exists(results), f"Smack ended with {code}; see {log}"
    with open(results, encoding="utf-8") as lines:
        outcomes = [Outcome(*line.rstrip("\n").split("\t")) for line in lines]
    print(f"Smack's log: {log}", flush=True)
    aborted = [o.reason for o in outcomes if o.outcome == "aborted"]
    assert not aborted, f"Smack gave up: {aborted[0]}; see {log}"
    assert any(o.outcome == "passed" for o in outcomes), f"no test passed; see {log}"
    if not os.environ.get("XYLEM_SMACK_KEEP"):
        shutil.rmtree(data)
    return sorted(outcomes)
