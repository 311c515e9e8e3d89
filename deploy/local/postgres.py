"""A private PostgreSQL for a local cluster: its own data directory, one role, one database."""

import glob
import os
import pwd
import subprocess
import sys

import packages

PACKAGES = ["postgresql"]
# PostgreSQL refuses to run as root.
SERVANT = "postgres"


def program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    return found[-1] if found else name


def as_servant():
    """What stands before a command so that it does not run as root; it becomes the command (one pid)."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={SERVANT}", f"--regid={SERVANT}", "--init-groups", "--"]


def make_data(directory, password):
    """Makes the data directory, unless it is there."""
    if os.path.exists(os.path.join(directory, "data", "PG_VERSION")):
        return
    os.makedirs(directory, mode=0o700, exist_ok=True)
    password_file = os.path.join(directory, "password")  # for initdb only
    with open(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(password + "\n")
    if os.geteuid() == 0:
        servant = pwd.getpwnam(SERVANT)
        for path in (directory, password_file):
            os.chown(path, servant.pw_uid, servant.pw_gid)
        # To pass through, not to look: what is secret in there is its owner's only.
        os.chmod(os.path.dirname(directory), 0o711)
    result = subprocess.run(
        [*as_servant(), program("initdb"), "-D", os.path.join(directory, "data"), "-U", "xylem", "-A", "scram-sha-256",
         "--pwfile", password_file, "-E", "UTF8", "--no-locale"],
        capture_output=True, text=True, check=False, cwd="/")
    os.unlink(password_file)
    if result.returncode != 0:
        sys.exit(f"xylem: PostgreSQL makes no data in {directory}:\n{result.stderr}"
                 f"  the user {SERVANT} must get there: give --data a directory that others may pass through")


def command(directory, port):
    return [*as_servant(), program("postgres"), "-D", os.path.join(directory, "data"), "-p", str(port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"]


def ensure_packages():
    packages.ensure(PACKAGES)
