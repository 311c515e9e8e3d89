"""People's own client libraries go on with their sessions after their manager was killed, mid-conversation."""

import asyncio
import json
import os
import shutil

from cluster import Cluster, eventually
from scripted import E2E, install_node
from test_clients import Talker, sessions
from xmpp import split_address

PACKAGES = ["python3-slixmpp", *([] if shutil.which("npm") else ["nodejs", "npm"])]


class Person(Talker):
    """Its events are read as they come."""

    all = []

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.resumed, self.others, self.reader = 0, [], None
        Person.all.append(self)

    async def start(self):
        await super().start()
        self.reader = asyncio.get_running_loop().create_task(self.read_on())
        return self

    async def read_on(self):
        while line := await self.process.stdout.readline():
            event = json.loads(line)
            if event["event"] == "message":
                self.bodies.append(int(event["body"]))
            elif event["event"] == "resumed":
                self.resumed += 1
            else:
                self.others.append(event)

    async def quit(self):
        await super().quit()
        await self.reader


async def conversation(preset, kills=4, pause=0.05):
    install_node()
    with Cluster(preset=preset) as cluster:
        host, port = split_address(cluster.endpoint("c2s"))
        alice = await Person("slixmpp", [
            "/usr/bin/python3", os.path.join(E2E, "resume_slixmpp.py"), host, str(port), "alice@localhost",
            cluster.users["alice"], cluster.ca]).start()
        bob = await Person("@xmpp/client", [
            "node", os.path.join(E2E, "node", "resume.js"), f"xmpp://{host}:{port}", "localhost", "bob",
            cluster.users["bob"]], {"NODE_EXTRA_CA_CERTS": cluster.ca}).start()
        managers = {s["jid"]: s["manager"] for s in sessions(cluster)}
        talking = True

        async def talk(one, other):
            said = 0
            while talking:
                said += 1
                one.order(to=other.jid, say=str(said))
                await asyncio.sleep(pause)
            return said
        to_bob, to_alice = (asyncio.get_running_loop().create_task(talk(*pair))
                            for pair in ((alice, bob), (bob, alice)))
        for number in range(kills):
            await asyncio.sleep(2)
            victim = managers[(alice, bob)[number % 2].jid]
            before = {p: p.resumed for p in (alice, bob)}
            hurt = [p for p in (alice, bob) if managers[p.jid] == victim]
            cluster.kill(victim, hold=True)
            for person in hurt:
                await eventually(lambda p=person: p.resumed > before[p], f"{person.name} resumed", 30)
            cluster.start(victim)
            await eventually(lambda v=victim: cluster.process(v)["state"] == "ready", "it is back", 20)
            managers = {s["jid"]: s["manager"] for s in sessions(cluster)}
            assert set(managers) == {alice.jid, bob.jid}, (managers, alice.others, bob.others)
        talking = False
        expected = {alice: await to_alice, bob: await to_bob}
        for person, count in expected.items():
            await eventually(lambda p=person, n=count: len(p.bodies) >= n, f"{person.name} has everything", 30)
            assert person.bodies == list(range(1, count + 1)), f"{person.name}: lost, doubled or out of order"
            assert not person.others, person.others
        print(f"    {kills} managers killed, {alice.resumed + bob.resumed} resumptions, "
              f"{sum(expected.values())} messages", flush=True)
        await alice.quit()
        await bob.quit()


async def test(preset):
    try:
        await conversation(preset)
    finally:
        for person in Person.all:
            if person.process is not None and person.process.returncode is None:
                person.process.kill()


TESTS = {"slixmpp and @xmpp/client resume by their own means, mid-conversation": test}
