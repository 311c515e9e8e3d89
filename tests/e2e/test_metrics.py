"""What every process tells Prometheus."""

import subprocess
import urllib.request

from cluster import Cluster

PACKAGES = ["prometheus"]


def names_and_units(preset):
    """Must show 10: names, units and help texts pass promtool's check."""
    with Cluster(preset=preset) as cluster:
        checked = 0
        for process in cluster.status["processes"]:
            if not process["admin"]:
                continue
            with urllib.request.urlopen(process["admin"] + "/metrics", timeout=5) as answer:
                text = answer.read()
            result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
            assert result.returncode == 0, f"{process['id']}: {result.stderr.decode()}"
            checked += 1
        assert checked == 4, checked


TESTS = {"metrics of every process pass promtool check metrics": names_and_units}
