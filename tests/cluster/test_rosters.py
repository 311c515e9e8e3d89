"""Subscriptions and presence of contacts while processes die."""

import asyncio
import collections
import functools
import time

from cluster import Cluster, eventually
from traffic import add_users
from xmpp import CLIENT, Client

ROSTER = "{jabber:iq:roster}"


class Person:
    """A client that knows its roster as pushes tell it, and counts what it was told."""

    def __init__(self, cluster, name, address):
        self.cluster, self.name, self.address = cluster, name, address
        self.bare = f"{name}@{cluster.domain}"
        self.client, self.roster = None, {}
        self.told = collections.Counter()  # (type, from) of presence
        self.answers = {}
        self.changed = asyncio.Event()

    async def login(self):
        self.client = Client(self.address, self.cluster.domain, self.cluster.ca)
        self.client.on_stanza = self.on_stanza
        await self.client.login(self.name, self.cluster.users[self.name], "home", "direct", presence=False)
        self.client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
        self.client.send("<presence/>")
        await self.until(lambda: "roster" in self.answers and self.told[("available", self.client.jid)])
        return self

    def on_stanza(self, stanza):
        if stanza.tag == CLIENT + "presence":
            self.told[(stanza.get("type", "available"), stanza.get("from"))] += 1
        elif stanza.tag == CLIENT + "iq" and stanza.get("type") == "set":
            for item in stanza.iter(ROSTER + "item"):
                self.roster[item.get("jid")] = item.get("subscription")
        elif stanza.tag == CLIENT + "iq":
            self.answers[stanza.get("id")] = stanza
        self.changed.set()

    async def until(self, condition, timeout=60):
        deadline = time.monotonic() + timeout
        while not condition():
            assert self.client.closed is None, f"{self.name} was disconnected"
            self.changed.clear()
            await asyncio.wait_for(self.changed.wait(), deadline - time.monotonic())

    def say(self, kind, to):
        self.client.send(f"<presence to='{to.bare}' type='{kind}'/>")

    async def remove(self, other, ident):
        self.client.send(f"<iq type='set' id='{ident}'><query xmlns='jabber:iq:roster'>"
                         f"<item jid='{other.bare}' subscription='remove'/></query></iq>")
        await self.until(lambda: ident in self.answers)
        assert self.answers[ident].get("type") == "result", self.answers[ident]

    async def stored(self):
        """The roster as the store has it."""
        ident = f"read-{len(self.answers)}"
        self.client.send(f"<iq type='get' id='{ident}'><query xmlns='jabber:iq:roster'/></iq>")
        await self.until(lambda: ident in self.answers)
        return {item.get("jid"): item.get("subscription") for item in self.answers[ident].iter(ROSTER + "item")}


async def befriend(a, b, enough):
    """Both ways, and apart again, until `enough()`; each step waits until the other was told. How often."""
    turn = 0
    while True:
        turn += 1
        for one, other in ((a, b), (b, a)):
            one.say("subscribe", other)
            await other.until(lambda t=other, f=one: t.told[("subscribe", f.bare)] >= turn)
            other.say("subscribed", one)
            await one.until(lambda t=one, f=other: t.told[("subscribed", f.bare)] >= turn)
        await a.until(lambda: a.roster.get(b.bare) == "both")
        await b.until(lambda: b.roster.get(a.bare) == "both")
        assert (await a.stored())[b.bare] == "both" and (await b.stored())[a.bare] == "both"
        if enough():
            break
        await a.remove(b, f"part-{turn}")
        await b.until(lambda: b.roster.get(a.bare) == "none")
        await b.until(lambda: b.told[("unsubscribed", a.bare)] >= turn)
    for one, other in ((a, b), (b, a)):
        for kind in ("subscribe", "subscribed"):
            count = one.told[(kind, other.bare)]
            assert count == turn, f"{one.bare} was told {kind} {count} times in {turn} rounds"
    return turn


async def ready_or_done(cluster, ident, work):
    return work.done() or (await asyncio.to_thread(cluster.process, ident))["state"] == "ready"


async def handshakes_under_kills(preset, pairs=10, kills=5):
    """Business servers die during handshakes: both rosters agree, and everybody is told once."""
    with Cluster(preset=preset) as cluster:
        add_users(cluster, [f"{side}{i}" for i in range(pairs) for side in ("a", "b")])
        addresses = [cluster.manager_address(i, "c2s_tls") for i in (1, 2)]
        people = [Person(cluster, f"{side}{i}", addresses[(i + k) % 2])
                  for i in range(pairs) for k, side in enumerate(("a", "b"))]
        for person in people:
            await person.login()
        done = asyncio.Event()
        work = asyncio.gather(*(befriend(people[2 * i], people[2 * i + 1], done.is_set) for i in range(pairs)))
        for i in range(kills):
            await asyncio.sleep(0.5)
            ident = f"business-{1 + i % 2}"
            await asyncio.to_thread(cluster.kill, ident)
            await eventually(functools.partial(ready_or_done, cluster, ident, work), f"{ident} is back", 20, 0.1)
        done.set()
        rounds = await asyncio.wait_for(work, 120)
        print(f"    {sum(rounds)} friendships under {kills} kills")
        await asyncio.gather(*(p.client.close() for p in people))


async def manager_dies(preset):
    """Contacts, and strangers who were shown directed presence, hear once that a session is gone with its manager."""
    with Cluster(preset=preset) as cluster:
        add_users(cluster, ["contact", "stranger", "victim"])
        near, far = cluster.manager_address(2, "c2s_tls"), cluster.manager_address(1, "c2s_tls")
        contact = await Person(cluster, "contact", near).login()
        stranger = await Person(cluster, "stranger", near).login()
        victim = await Person(cluster, "victim", far).login()
        contact.say("subscribe", victim)
        await victim.until(lambda: victim.told[("subscribe", contact.bare)])
        victim.say("subscribed", contact)
        full = victim.client.jid
        await contact.until(lambda: contact.told[("available", full)])
        victim.client.send(f"<presence to='{stranger.client.jid}'/>")
        await stranger.until(lambda: stranger.told[("available", full)])
        cluster.kill("connmgr-1", hold=True)
        begin = time.monotonic()
        await contact.until(lambda: contact.told[("unavailable", full)], 15.5)
        await stranger.until(lambda: stranger.told[("unavailable", full)], 15.5)
        print(f"    both were told after {time.monotonic() - begin:.1f} s")
        await asyncio.sleep(2)  # a second one would have come by now
        assert contact.told[("unavailable", full)] == 1 and stranger.told[("unavailable", full)] == 1
        await asyncio.gather(contact.client.close(), stranger.client.close())
        cluster.start("connmgr-1")


TESTS = {
    "business servers die during handshakes": handshakes_under_kills,
    "a manager dies, and contacts hear of it": manager_dies,
}
