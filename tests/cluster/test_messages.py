"""Archives and offline messages while business servers die and the recipient comes and goes."""

import asyncio
import collections
import random
import xml.etree.ElementTree as ET

from cluster import Cluster, eventually
from traffic import add_users
from xmpp import CLIENT, Client

MAM, RSM, FORWARD = "{urn:xmpp:mam:2}", "{http://jabber.org/protocol/rsm}", "{urn:xmpp:forward:0}"


class Sender:
    """Sends numbered messages, and knows from answers to pings behind them which were dealt with."""

    def __init__(self, client, to):
        self.client, self.to = client, to
        self.sent, self.accepted, self.bounced, self.sending = 0, 0, set(), True
        client.on_stanza = self.on_stanza

    def on_stanza(self, stanza):
        ident = stanza.get("id", "")
        if stanza.tag == CLIENT + "iq" and ident.startswith("upto-"):
            self.accepted = max(self.accepted, int(ident[5:]))
        elif stanza.tag == CLIENT + "message" and stanza.get("type") == "error":
            self.bounced.add(ident)

    async def run(self, interval=0.02):
        while self.sending:
            self.sent += 1
            self.client.send(f"<message to='{self.to}' type='chat' id='m{self.sent}'><body>{self.sent}</body></message>")
            if self.sent % 5 == 0:
                self.ask()
            await asyncio.sleep(interval)
        self.ask()
        await eventually(lambda: self.accepted == self.sent, "the last message is accepted", 60)

    def ask(self):
        self.client.send(f"<iq type='get' id='upto-{self.sent}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")


class Recipient:
    """One resource that logs in and out; counts what each of its sessions got."""

    def __init__(self, cluster, name, resource):
        self.cluster, self.name, self.resource = cluster, name, resource
        self.sessions, self.staying = [], True

    async def session(self, address, seconds):
        got = collections.Counter()
        self.sessions.append(got)
        client = Client(address, self.cluster.domain, self.cluster.ca)
        client.on_stanza = lambda s: got.update([s.get("id")]) if s.tag == CLIENT + "message" else None
        await client.login(self.name, self.cluster.users[self.name], self.resource, "direct")
        await asyncio.sleep(seconds)
        # What was on its way when it said so still comes, up to the end of the stream.
        client.send("<presence type='unavailable'/>")
        await client.close()

    async def run(self):
        turn = 0
        while self.staying:
            turn += 1
            address = self.cluster.manager_address(1 + turn % 2, "c2s_tls")
            await self.session(address, random.uniform(0.2, 1.0))
            await asyncio.sleep(random.uniform(0.0, 1.0))


async def read_archive(cluster, name):
    """All ids, in the archive's order."""
    client = Client(cluster.manager_address(1, "c2s_tls"), cluster.domain, cluster.ca)
    await client.login(name, cluster.users[name], "reader", "direct", presence=False)
    ids, after = [], ""
    while True:
        page = f"<after>{after}</after>" if after else ""
        client.send(f"<iq type='set' id='page'><query xmlns='urn:xmpp:mam:2'><set xmlns='{RSM[1:-1]}'>"
                    f"<max>250</max>{page}</set></query></iq>")
        while True:
            element = await client.next(30)
            if element.tag == CLIENT + "iq":
                break
            if element.find(f"{MAM}result") is not None:
                ids.append(element.find(f"{MAM}result/{FORWARD}forwarded/{CLIENT}message").get("id"))
        assert element.get("type") == "result", ET.tostring(element)
        fin = element.find(f"{MAM}fin")
        if fin.get("complete") == "true":
            break
        after = fin.find(f"{RSM}set/{RSM}last").text
    await client.close()
    return ids


async def kills(preset, times=6):
    """I2, I12: what is acknowledged is in both archives once, in order, and reaches its recipient once a session."""
    with Cluster(preset=preset) as cluster:
        add_users(cluster, ["romeo", "juliet"])
        client = Client(cluster.manager_address(1, "c2s_tls"), cluster.domain, cluster.ca)
        await client.login("romeo", cluster.users["romeo"], "home", "direct", presence=False)
        sender = Sender(client, "juliet@localhost")
        resources = [Recipient(cluster, "juliet", r) for r in ("desk", "phone")]
        work = [asyncio.create_task(s.run()) for s in (sender, *resources)]
        for i in range(times):
            await asyncio.sleep(1.5)
            ident = f"business-{1 + i % 2}"
            cluster.kill(ident)
            await eventually(lambda ident=ident: cluster.process(ident)["state"] == "ready", f"{ident} is back")
        sender.sending = False
        for recipient in resources:
            recipient.staying = False
        await asyncio.wait_for(asyncio.gather(*work), 90)
        last = Recipient(cluster, "juliet", "last")
        await last.session(cluster.manager_address(2, "c2s_tls"), 3)

        sessions = [got for r in (*resources, last) for got in r.sessions]
        twice = [ident for got in sessions for ident, times_got in got.items() if times_got > 1]
        assert not twice, f"twice to one session: {twice[:5]}"
        every = [f"m{i + 1}" for i in range(sender.sent)]
        assert not sender.bounced, f"bounced: {sorted(sender.bounced)[:5]}"
        mine, hers = await read_archive(cluster, "romeo"), await read_archive(cluster, "juliet")
        for whose, ids in (("his", mine), ("her", hers)):
            assert len(ids) == len(set(ids)), f"twice in {whose} archive: {len(ids) - len(set(ids))}"
            assert set(ids) == set(every), f"not in {whose} archive: {sorted(set(every) - set(ids))[:5]}"
            assert ids == every, f"{whose} archive is out of order"
        reached = set().union(*sessions)
        assert not set(every) - reached, f"never reached her: {sorted(set(every) - reached)[:5]}"
        print(f"    {sender.sent} messages, {len(sessions)} sessions, {sum(map(len, sessions))} deliveries")
        await client.close()


TESTS = {"messages to who comes and goes, while business servers die": kills}
