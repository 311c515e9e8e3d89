"""Row 50, as far as the door: the tiers talk by mTLS, and with nobody else."""

import contextlib
import json
import os

import pki
from attack import session
from cluster import Cluster

FILES = {"certificate_file": "server.pem", "key_file": "server.key", "ca_file": "ca.pem"}


@contextlib.contextmanager
def xylemctl_with(tls):
    """For the calls inside, xylemctl has the certificate in that directory."""
    names = {f"XYLEMCTL_RPC__{key.upper()}": os.path.join(tls, file) for key, file in FILES.items()}
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


async def mutual_tls(preset):
    cluster = Cluster(managers=1, business=1, preset=preset)
    tls, foreign = os.path.join(cluster.data, "tls"), os.path.join(cluster.data, "foreign-tls")
    for directory in (tls, foreign):
        pki.make_certificates(directory, "localhost")
    for tier in ("connmgr", "business"):
        for key, file in FILES.items():
            cluster.arguments += ["--set", f"{tier}.rpc.{key}={os.path.join(tls, file)}"]
    with contextlib.ExitStack() as stack:
        with xylemctl_with(tls):
            stack.enter_context(cluster)
        client = await session(cluster)
        await client.ping()
        await client.close()
        with xylemctl_with(tls):
            assert "alice@localhost" in cluster.ctl("user", "list").stdout
            checks = json.loads(cluster.ctl("--json", "doctor", check=False).stdout)["checks"]
        # The files whose end would end all links are the ones that are looked at.
        texts = [c["text"] for c in checks if c["name"] == "certificates"]
        assert len(texts) == 2 and all("more days" in t for t in texts), checks
        assert [t.split()[0] for t in texts] == [os.path.join(tls, f) for f in ("server.pem", "ca.pem")], texts
        # The token alone is not enough, and neither is anybody's certificate.
        plaintext = cluster.ctl("user", "list", check=False)
        with xylemctl_with(foreign):
            stranger = cluster.ctl("user", "list", check=False)
        for result in (plaintext, stranger):
            assert result.returncode == 5 and "alice" not in result.stdout, result


TESTS = {"row 50: mTLS between the tiers": mutual_tls}
