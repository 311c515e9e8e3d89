"""People's own client libraries talk through HAProxy, and land on different managers."""

import asyncio
import json
import os
import shutil
import subprocess

from cluster import Cluster
from scripted import E2E, Scripted, install_node
from xmpp import split_address

# A Node.js from elsewhere brings its own npm, which Debian's package would not sit beside.
PACKAGES = ["python3-slixmpp", "go-sendxmpp", *([] if shutil.which("npm") else ["nodejs", "npm"])]


class Talker(Scripted):
    """One side of a conversation, who says numbers."""

    def __init__(self, name, command, environment=None):
        super().__init__(name, command, environment)
        self.bodies, self.jid = [], ""

    async def start(self):
        await self.spawn()
        while True:
            event = await self.read(30)
            assert event["event"] != "error", (self.name, event)
            if event["event"] == "online":
                self.jid = event["jid"]
                return self

    async def collect(self, count, timeout=60):
        while len(self.bodies) < count:
            event = await self.read(timeout)
            assert event["event"] == "message", (self.name, event)
            self.bodies.append(int(event["body"]))
        return self.bodies


def sessions(cluster):
    return json.loads(cluster.ctl("--json", "session", "list").stdout)["sessions"]


def conversation(tls, count=1000):
    async def test(preset):
        install_node()
        with Cluster(preset=preset) as cluster:
            host, port = split_address(cluster.endpoint("c2s" if tls == "starttls" else "c2s_tls"))
            alice = await Talker("slixmpp", [
                "/usr/bin/python3", os.path.join(E2E, "talk_slixmpp.py"), host, str(port), tls, "alice@localhost",
                cluster.users["alice"], cluster.ca]).start()
            scheme = "xmpp" if tls == "starttls" else "xmpps"
            bob = await Talker("@xmpp/client", [
                "node", os.path.join(E2E, "node", "talk.js"), f"{scheme}://{host}:{port}", "localhost", "bob",
                cluster.users["bob"]], {"NODE_EXTRA_CA_CERTS": cluster.ca}).start()
            where = {s["jid"]: s["manager"] for s in sessions(cluster)}
            assert where[alice.jid] != where[bob.jid], where
            alice.order(to=bob.jid, count=count)
            bob.order(to=alice.jid, count=count)
            got_bob, got_alice = await asyncio.gather(bob.collect(count), alice.collect(count))
            assert got_bob == list(range(1, count + 1)), "bob: lost, doubled or out of order"
            assert got_alice == list(range(1, count + 1)), "alice: lost, doubled or out of order"
            await alice.quit()
            await bob.quit()
    return test


async def command_line(preset):
    """go-sendxmpp, as a person at a shell would use it, to somebody on slixmpp."""
    with Cluster(preset=preset) as cluster:
        host, port = split_address(cluster.endpoint("c2s"))
        alice = await Talker("slixmpp", [
            "/usr/bin/python3", os.path.join(E2E, "talk_slixmpp.py"), host, str(port), "starttls", "alice@localhost",
            cluster.users["alice"], cluster.ca]).start()
        for address, flags in ((cluster.endpoint("c2s"), []), (cluster.endpoint("c2s_tls"), ["-t"])):
            alice.bodies.clear()
            result = subprocess.run(
                ["go-sendxmpp", *flags, "-n", "-u", "bob@localhost", "-p", cluster.users["bob"], "-j",
                 address, "alice@localhost"], input="42", text=True, capture_output=True, timeout=30, check=False)
            assert result.returncode == 0, result.stderr
            assert await alice.collect(1) == [42]
        await alice.quit()


TESTS = {
    "slixmpp and @xmpp/client, 1,000 messages each way, STARTTLS": conversation("starttls"),
    "slixmpp and @xmpp/client, 1,000 messages each way, direct TLS": conversation("direct"),
    "go-sendxmpp to slixmpp": command_line,
}
