"""Clients with stream management resume after whatever was killed; nothing is lost, nothing comes twice."""

import asyncio
import json
import random
import time

from cluster import Cluster, eventually, sessions_over
from managed import ManagedClient, ResumptionFailed
from traffic import Pair, Traffic, add_users
from xmpp import CLIENT, Client


def addresses_of(cluster):
    return [cluster.manager_address(i + 1, "c2s_tls") for i in range(len(cluster.ids("connmgr")))]


class ManagedPair(Pair):
    """Both of whom come back. Whoever is unavailable to the other is counted."""

    def __init__(self, number, sender, receiver):
        super().__init__(number, sender, receiver)
        self.gone, self.seen = 0, set()
        for client in (sender, receiver):  # what came before there was a pair
            while not client.stanzas.empty():
                client.on_stanza(client.stanzas.get_nowait())

    def presence(self, who, element):
        if element.tag != CLIENT + "presence":
            return
        if element.get("type") == "unavailable":
            self.gone += 1
        elif element.get("type") is None:
            self.seen.add((who.jid, element.get("from")))

    def at_receiver(self, element):
        self.presence(self.receiver, element)
        super().at_receiver(element)

    def at_sender(self, element):
        self.presence(self.sender, element)
        super().at_sender(element)

    def together(self):
        return {(self.sender.jid, self.receiver.jid), (self.receiver.jid, self.sender.jid)} <= self.seen


async def managed_pairs(cluster, count, friends=0, prefix="managed"):
    """`friends`: so many of the pairs see each other's presence."""
    addresses = addresses_of(cluster)
    names = [f"{prefix}{i}" for i in range(2 * count)]
    add_users(cluster, names)
    for i in range(friends):
        cluster.ctl("roster", "set", f"{names[2 * i]}@localhost", f"{names[2 * i + 1]}@localhost",
                    "--subscription", "both", "--mirror")

    async def one(i):
        client = ManagedClient(cluster.domain, cluster.ca)
        return await client.login(addresses[i % len(addresses)], names[i], cluster.users[names[i]], "r")
    clients = []
    for begin in range(0, 2 * count, 20):
        clients += await asyncio.gather(*(one(i) for i in range(begin, min(begin + 20, 2 * count))))
    pairs = [ManagedPair(i // 2, clients[i], clients[i + 1]) for i in range(0, 2 * count, 2)]
    await asyncio.gather(*(client.all_confirmed() for client in clients))
    await eventually(lambda: all(pair.together() for pair in pairs[:friends]), "friends see each other")
    for pair in pairs:
        pair.gone = 0
        pair.sender.keep(addresses)
        pair.receiver.keep(addresses)
    return pairs


def people(pairs):
    return [c for p in pairs for c in (p.sender, p.receiver)]


async def settle(pairs):
    """All that was sent is confirmed, and has arrived."""
    await eventually(lambda: all(c.up and c.resumed.is_set() for c in people(pairs)) or
                     any(c.closed for c in people(pairs)), "everybody is back", 40)
    lost = [c.closed for c in people(pairs) if c.closed]
    assert not lost, f"{len(lost)} sessions were lost: {lost[:3]}"
    await asyncio.gather(*(p.sender.all_confirmed(60) for p in pairs))
    deadline = time.monotonic() + 30
    while any(p.problems() for p in pairs) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    problems = [sentence for pair in pairs for sentence in pair.problems()]
    assert not problems, "\n".join(problems[:10])
    bounced = sum(len(p.bounced) for p in pairs)
    assert bounced == 0, f"{bounced} messages bounced"


def percentile(values, part):
    values = sorted(values)
    return values[min(int(len(values) * part), len(values) - 1)] if values else 0.0


async def kills(preset, victims, rounds, pause, count=40, rate=200, friends=4, seed=None):
    seed = seed if seed is not None else random.randrange(1 << 30)
    random.seed(seed)
    print(f"    seed {seed}", flush=True)
    with Cluster(preset=preset) as cluster:
        pairs = await managed_pairs(cluster, count, friends)
        async with Traffic(pairs, rate) as traffic:
            for i in range(rounds):
                await asyncio.sleep(random.uniform(*pause))
                ident = victims[i % len(victims)]
                cluster.kill(ident)
                await eventually(lambda ident=ident: cluster.process(ident)["state"] == "ready", f"{ident} is back", 20)
            await asyncio.sleep(1)
            await traffic.stop()
            await settle(pairs)
        back = [s for c in people(pairs) for s in c.resumed_after]
        gone = sum(p.gone for p in pairs)
        print(f"    {rounds} kills, {sum(len(p.received) for p in pairs)} messages, {len(back)} resumptions, "
              f"p99 {percentile(back, 0.99):.1f} s, message p99 {traffic.p99() * 1000:.0f} ms", flush=True)
        assert gone == 0, f"contacts saw {gone} go"
        assert percentile(back, 0.99) <= 10.0
        await asyncio.gather(*(c.close() for c in people(pairs)))
        return back


async def kill_managers(preset):
    back = await kills(preset, ["connmgr-1", "connmgr-2"], rounds=6, pause=(2.5, 4))
    assert back, "nobody had to resume"


async def kill_business(preset):
    back = await kills(preset, ["business-1", "business-2"], rounds=6, pause=(1, 2))
    assert not back, f"{len(back)} clients were disconnected"


async def kill_anything(preset):
    await kills(preset, ["connmgr-1", "business-2", "connmgr-2", "business-1"], rounds=8, pause=(0.5, 3))


async def two_resumptions(preset, clients=20, rounds=50):
    """Both at once, on two managers: one socket holds the session afterwards, and it works."""
    with Cluster(preset=preset) as cluster:
        addresses = addresses_of(cluster)
        names = [f"racer{i}" for i in range(clients)]
        add_users(cluster, names)
        writer = Client(addresses[0], cluster.domain, cluster.ca)
        await writer.login("alice", cluster.users["alice"], "w", "direct")
        counts = {"both": 0, "one": 0}

        async def race(name):
            client = ManagedClient(cluster.domain, cluster.ca)
            await client.login(addresses[0], name, cluster.users[name], "r")
            await client.next()
            for number in range(rounds):
                client.drop()
                connections = await asyncio.gather(*(client.authenticated(a) for a in addresses))
                replies = [[], []]
                for i, c in enumerate(connections):
                    c.jid, c.on_stanza = client.jid, replies[i].append
                for c in connections:
                    c.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{client.previd}' h='{client.handled}'/>")
                await eventually(lambda: all(r or c.task.done() for r, c in zip(replies, connections)), "replies")
                await eventually(lambda: sum(c.task.done() for c in connections) == 1,
                                 f"{name}: one of two is closed", 20)
                winner = 0 if connections[1].task.done() else 1
                loser = connections[1 - winner]
                assert loser.closed.condition == "conflict", loser.closed
                counts["both" if replies[0] and replies[1] else "one"] += 1
                connections[winner].on_stanza = client.receive
                client.client = connections[winner]
                for element in replies[winner][1:]:
                    client.receive(element)
                writer.send(f"<message to='{client.jid}' id='{number}' type='chat'><body>x</body></message>")
                message = await client.next(15)
                assert message.get("id") == str(number), (message.get("id"), number)
            await client.close()
        await asyncio.gather(*(race(name) for name in names))
        print(f"    {clients * rounds} races: {counts}", flush=True)
        await writer.close()


def keys(cluster, pattern):
    return int(cluster.redis("EVAL", "return #redis.call('KEYS', ARGV[1])", "0", pattern))


async def resumption_and_time_out(preset, clients=100, rounds=10):
    """A client comes back just when its time is over: resumed with what was written to it, or failed, and then
    that comes to its next session. Never both, never neither."""
    with Cluster(preset=preset) as cluster:
        addresses = addresses_of(cluster)
        names = [f"late{i}" for i in range(clients)]
        add_users(cluster, names)
        writer = Client(addresses[1], cluster.domain, cluster.ca)
        await writer.login("alice", cluster.users["alice"], "w", "direct")
        bounced, got, answered = [], {}, asyncio.Event()

        def at_writer(element):
            if element.get("type") == "error":
                bounced.append(element)
            elif element.get("id") == "last":
                answered.set()
        writer.on_stanza = at_writer
        counts = {"resumed": 0, "failed": 0}

        def at_reader(element):
            if element.tag == CLIENT + "message":
                got[element.get("id")] = got.get(element.get("id"), 0) + 1

        async def log_in(name, number, maximum=None):
            client = ManagedClient(cluster.domain, cluster.ca)
            client.on_stanza = at_reader
            return await client.login(addresses[number % 2], name, cluster.users[name], "r", maximum=maximum)

        async def leave(client):
            client.confirm()  # else it comes to whoever is there next
            await client.close()

        async def race(name):
            for number in range(rounds):
                client = await log_in(name, number, maximum=1)
                await client.all_confirmed()
                client.drop()
                ident = f"{name}-{number}"
                await asyncio.sleep(0.2)
                writer.send(f"<message to='{client.jid}' id='{ident}' type='chat'><body>x</body></message>")
                await asyncio.sleep(random.uniform(0.6, 1.8))
                try:
                    await client.resume(addresses[1 - number % 2])
                except ResumptionFailed:
                    counts["failed"] += 1
                    assert ident not in got, f"{ident} came to a session that is over"
                    client.drop()
                    client = await log_in(name, number)
                else:
                    counts["resumed"] += 1
                await eventually(lambda: ident in got, f"{ident} arrives", 30)
                await leave(client)
        await asyncio.gather(*(race(name) for name in names))
        # Nothing more can come, or bounce, once all are over and what they left was dealt with.
        sessions = lambda: json.loads(cluster.ctl("--json", "session", "list").stdout)["sessions"]
        await eventually(lambda: len(sessions()) == 1, "only the writer's session is left", 1)
        await eventually(lambda: keys(cluster, "x:*:ending") == 0, "what ended sessions left was dealt with", 10)
        writer.send(f"<iq type='get' id='last' to='{cluster.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
        await asyncio.wait_for(answered.wait(), 20)
        print(f"    {clients * rounds} races: {counts}", flush=True)
        assert counts["resumed"] > 50 and counts["failed"] > 50, counts
        assert not bounced, f"{len(bounced)} messages bounced"
        doubled = [ident for ident, times in got.items() if times > 1]
        assert len(got) == clients * rounds and not doubled, (len(got), doubled[:5])
        await writer.close()


async def stopped_manager(preset):
    """A manager is stopped, its client resumes elsewhere, and it goes on: it has no effect any more."""
    with Cluster(preset=preset) as cluster:
        first, second = addresses_of(cluster)
        bob = Client(second, cluster.domain, cluster.ca)
        await bob.login("bob", cluster.users["bob"], "ear", "direct")
        alice = ManagedClient(cluster.domain, cluster.ca)
        await alice.login(first, "alice", cluster.users["alice"], "same")
        await alice.next()
        await alice.all_confirmed()
        old = alice.client
        cluster.kill("connmgr-1", "SIGSTOP")
        try:
            for i in range(20):
                alice.send(f"<message to='{bob.jid}' type='chat' id='m{i}'><body>{i}</body></message>")
            bob.send(f"<message to='{alice.jid}' type='chat' id='to-alice'><body>x</body></message>")
            alice.client, old.on_stanza = None, lambda element: None  # its socket stays
            await alice.resume(second)
            assert (await alice.next()).get("id") == "to-alice"
            alice.send(f"<message to='{bob.jid}' type='chat' id='m20'><body>20</body></message>")
            await alice.all_confirmed()
        finally:
            cluster.kill("connmgr-1", "SIGCONT")
        await asyncio.wait([old.task], timeout=20)
        assert old.closed is not None and old.closed.condition == "conflict", old.closed
        await sessions_over(cluster, "connmgr-1", left=2)
        ids = [e.get("id") for e in await bob.ping() if e.tag == CLIENT + "message"]
        assert ids == [f"m{i}" for i in range(21)], ids
        await alice.close()
        await bob.close()


TESTS = {
    "clients resume while managers are killed under load": kill_managers,
    "nobody notices while business servers are killed under load": kill_business,
    "clients resume while anything is killed under load": kill_anything,
    "of two resumptions one holds the session, 1000 times": two_resumptions,
    "resumption or time-out, never both, 1000 times": resumption_and_time_out,
    "a manager that was stopped while its client resumed elsewhere": stopped_manager,
}
