"""Debian packages by name: what is missing is installed, nothing else is touched."""

import os
import subprocess
import sys


def read_list(path):
    with open(path, encoding="utf-8") as lines:
        return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def missing(names):
    result = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev}\n", *names],
        capture_output=True, text=True, check=False)
    installed = {line.split()[0] for line in result.stdout.splitlines() if line.split()[-1:] == ["ii"]}
    return [name for name in names if name not in installed]


def ensure(names):
    """Installs what is missing; exits with a sentence when that cannot be done."""
    wanted = missing(names)
    if not wanted:
        return
    print(f"xylem: installing {' '.join(wanted)}", file=sys.stderr, flush=True)
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    # Services that Debian would start by itself are not wanted: the cluster runs its own.
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
    for command in (["apt-get", "update", "-qq"],
                    ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted]):
        if subprocess.run(sudo + command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode:
            sys.exit(f"xylem: '{' '.join(command[:2])}' failed; install by hand: {' '.join(wanted)}")
