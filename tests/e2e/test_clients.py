"""People's own client libraries talk through HAProxy, and land on different managers."""

import asyncio
import json
import os
import shutil
import subprocess

from cluster import Cluster
from xmpp import split_address

HERE = os.path.dirname(os.path.abspath(__file__))
# A Node.js from elsewhere brings its own npm, which Debian's package would not sit beside.
PACKAGES = ["python3-slixmpp", "go-sendxmpp", *([] if shutil.which("npm") else ["nodejs", "npm"])]


class Talker:
    """A client program that takes orders by lines of JSON."""

    def __init__(self, name, command, environment=None):
        self.name, self.command = name, command
        self.environment = {**os.environ, **(environment or {})}
        self.bodies, self.jid, self.process = [], "", None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            *self.command, env=self.environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        while True:
            event = await self.read(30)
            assert event["event"] != "error", (self.name, event)
            if event["event"] == "online":
                self.jid = event["jid"]
                return self

    async def read(self, timeout):
        line = await asyncio.wait_for(self.process.stdout.readline(), timeout)
        assert line, f"{self.name} ended"
        return json.loads(line)

    def order(self, **values):
        self.process.stdin.write((json.dumps(values) + "\n").encode())

    async def collect(self, count, timeout=60):
        while len(self.bodies) < count:
            event = await self.read(timeout)
            assert event["event"] == "message", (self.name, event)
            self.bodies.append(int(event["body"]))
        return self.bodies

    async def quit(self):
        self.order(quit=True)
        try:
            await asyncio.wait_for(self.process.wait(), 10)
        except asyncio.TimeoutError:
            self.process.kill()
            await self.process.wait()


def install_node():
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=os.path.join(HERE, "node"), check=True)


def sessions(cluster):
    return json.loads(cluster.ctl("--json", "session", "list").stdout)["sessions"]


def conversation(tls, count=1000):
    async def test(preset):
        install_node()
        with Cluster(preset=preset) as cluster:
            host, port = split_address(cluster.endpoint("c2s" if tls == "starttls" else "c2s_tls"))
            alice = await Talker("slixmpp", [
                "/usr/bin/python3", os.path.join(HERE, "talk_slixmpp.py"), host, str(port), tls, "alice@localhost",
                cluster.users["alice"], cluster.ca]).start()
            scheme = "xmpp" if tls == "starttls" else "xmpps"
            bob = await Talker("@xmpp/client", [
                "node", os.path.join(HERE, "node", "talk.js"), f"{scheme}://{host}:{port}", "localhost", "bob",
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
            "/usr/bin/python3", os.path.join(HERE, "talk_slixmpp.py"), host, str(port), "starttls", "alice@localhost",
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
