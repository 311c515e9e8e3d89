"""Smack's own integration tests against Xylem, and against two others for comparison."""

import os

import report
import servers
import smack

PACKAGES = smack.PACKAGES + servers.PACKAGES


def against(name):
    def test(preset):
        chosen = os.environ.get("XYLEM_SMACK_TESTS", "")  # classes, while somebody works on them
        with servers.SERVERS[name](preset) as server:
            outcomes = smack.run(server, chosen)
            print(report.figures(outcomes), flush=True)
            if not chosen:
                report.keep(server, outcomes)
                report.write()
        if name == "xylem" and not chosen:
            wrong = report.unexplained(outcomes)
            assert not wrong, "\n        ".join(["", *wrong])
    return test


TESTS = {f"Smack against {report.TITLES[name]}": against(name) for name in ("prosody", "ejabberd", "xylem")}
