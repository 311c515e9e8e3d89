"""What --check-config finds before a process is started with it."""

import subprocess

import build
from cluster import Cluster


def check_config(preset):
    """0 for what the cluster runs with; 2 and a sentence that names the file for a certificate that is not there."""
    with Cluster(managers=1, business=1, preset=preset) as cluster:
        for tier in ("connmgr", "business"):
            path = f"{cluster.data}/config/{tier}-1.yaml"
            check = lambda text, tier=tier: subprocess.run(
                [build.binary(preset, tier), "--config", text, "--check-config"], capture_output=True, text=True,
                check=False)
            good = check(path)
            assert good.returncode == 0 and not good.stderr, good
            with open(path, encoding="utf-8") as text:
                config = text.read()
            if tier == "connmgr":
                broken = f"{cluster.data}/config/{tier}-broken.yaml"
                with open(broken, "w", encoding="utf-8") as text:
                    text.write(config.replace("/tls/", "/nowhere/"))
                bad = check(broken)
                assert bad.returncode == 2 and "/nowhere/" in bad.stderr, bad


TESTS = {"--check-config looks at certificates": check_config}
