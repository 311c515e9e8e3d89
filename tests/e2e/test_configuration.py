"""What programs say without being started as servers: --check-config, --list-specs, --print-doap."""

import subprocess
import xml.etree.ElementTree as ET

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


def doap(preset):
    """XEP-0453: well-formed, and what --list-specs prints."""
    say = lambda flag: subprocess.run([build.binary(preset, "business"), flag], capture_output=True, text=True,
                                      check=True).stdout
    rdf, ns, xmpp = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}", "{http://usefulinc.com/ns/doap#}", \
        "{https://linkmauve.fr/ns/xmpp-doap#}"
    project = ET.fromstring(say("--print-doap").encode()).find(ns + "Project")
    told = []
    for entry in project.findall(ns + "implements"):
        xep = entry.find(xmpp + "SupportedXep")
        if xep is None:
            told.append((entry.get(rdf + "resource").rpartition("rfc")[2].partition(".")[0], ""))
        else:
            assert xep.findtext(xmpp + "status") in ("complete", "partial")
            link = xep.find(xmpp + "xep").get(rdf + "resource")
            told.append((link.rpartition("xep-")[2].partition(".")[0], xep.findtext(xmpp + "version")))
    table = [[cell.strip() for cell in line.split("|")[1:4]] for line in say("--list-specs").splitlines()[2:]]
    assert told == [(name.replace("RFC ", "").replace("XEP-", ""), version) for name, version, _ in table], told


TESTS = {"--check-config looks at certificates": check_config, "--print-doap": doap}
