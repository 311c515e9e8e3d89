"""Traffic between pairs of raw clients, and what must be true of it afterwards."""

import asyncio
import contextlib
import itertools
import os
import sqlite3
import sys
import time

from xmpp import CLIENT, Client


class Pair:
    """`sender` writes numbered messages to `receiver`; pings confirm what came before."""

    def __init__(self, number, sender, receiver):
        self.number, self.sender, self.receiver = number, sender, receiver
        self.sent = {}       # number → when
        self.received = []   # numbers in order of arrival
        self.bounced = set()
        self.confirmed = 0   # every message up to here was followed by an answered ping
        self.latency = []
        self.pings = {}
        self.count = itertools.count(1)
        sender.on_stanza = self.at_sender
        receiver.on_stanza = self.at_receiver

    def send(self):
        number = next(self.count)
        self.sent[number] = time.monotonic()
        self.sender.send(f"<message type='chat' to='{self.receiver.jid}' id='p{self.number}-{number}'>"
                         f"<body>{number}</body></message>")
        if number % 5 == 0:
            self.ping(number)

    def ping(self, covers):
        ident = f"ping-{covers}-{len(self.pings)}"
        self.pings[ident] = covers
        self.sender.send(f"<iq type='get' id='{ident}' to='{self.sender.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")

    def at_sender(self, element):
        ident = element.get("id", "")
        if element.tag == CLIENT + "iq" and ident in self.pings:
            if element.get("type") == "result":
                self.confirmed = max(self.confirmed, self.pings[ident])
        elif element.tag == CLIENT + "message" and element.get("type") == "error":
            self.bounced.add(int(ident.partition("-")[2]))

    def at_receiver(self, element):
        body = element.find(CLIENT + "body")
        if element.tag == CLIENT + "message" and element.get("type") != "error" and body is not None:
            number = int(body.text)
            self.received.append(number)
            self.latency.append(time.monotonic() - self.sent[number])

    def problems(self, every=True):
        """Sentences on what is lost, doubled or out of order. `every`: all sent, not only the confirmed."""
        found = []
        arrived = set(self.received)
        wanted = [n for n in self.sent if every or n <= self.confirmed]
        lost = [n for n in wanted if n not in arrived and n not in self.bounced]
        if lost:
            found.append(f"pair {self.number}: lost {lost[:10]} of {len(self.sent)}")
        if len(arrived) != len(self.received):
            doubled = sorted({n for n in self.received if self.received.count(n) > 1})
            found.append(f"pair {self.number}: doubled {doubled[:10]}")
        elif self.received != sorted(self.received):
            found.append(f"pair {self.number}: out of order {self.received[:50]}")
        both = arrived & self.bounced
        if both:
            found.append(f"pair {self.number}: delivered and bounced {sorted(both)[:10]}")
        return found

    @property
    def connected(self):
        return self.sender.closed is None and self.receiver.closed is None


class Traffic:
    """N pairs at a total rate until stopped."""

    def __init__(self, pairs, rate):
        self.pairs, self.rate, self.task = pairs, rate, None
        self.paused = False

    async def run(self):
        begin, due = time.monotonic(), 0
        for pair in itertools.cycle(self.pairs):
            delay = begin + due / self.rate - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
            due += 1
            if pair.sender.closed is None and not self.paused:
                pair.send()

    async def __aenter__(self):
        self.task = asyncio.get_running_loop().create_task(self.run())
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def settle(self, timeout=30):
        """Stops sending; waits until each living sender's last ping is answered and nothing is missing."""
        await self.stop()
        last = {}
        for pair in self.pairs:
            if pair.sender.closed is None and pair.sent:
                last[pair] = max(pair.sent)
                pair.ping(last[pair])
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if all(p.sender.closed is not None or p.confirmed >= n for p, n in last.items()):
                if not any(p.problems() for p in last if p.connected):
                    return
            await asyncio.sleep(0.05)

    def p99(self):
        values = sorted(v for p in self.pairs for v in p.latency)
        return values[int(len(values) * 0.99)] if values else 0.0


async def make_pairs(cluster, count, place, prefix="traffic", tls="direct"):
    """`place(i)` gives the address of client i; the accounts are made when they are missing."""
    async def one(i):
        client = Client(place(i), cluster.domain, cluster.ca)
        user = f"{prefix}{i}"
        await client.login(user, cluster.users[user], "r", tls)
        await client.ping()
        return client
    add_users(cluster, [f"{prefix}{i}" for i in range(2 * count)])
    clients = []
    for begin in range(0, 2 * count, 20):
        clients += await asyncio.gather(*(one(i) for i in range(begin, min(begin + 20, 2 * count))))
    return [Pair(i // 2, clients[i], clients[i + 1]) for i in range(0, 2 * count, 2)]


def add_users(cluster, names, password="secret"):
    """Many accounts at once, as the store writes them."""
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
    from peers import scram_rows  # pylint: disable=import-outside-toplevel
    missing = [name for name in names if name not in cluster.users]
    now = int(time.time())
    accounts = [(f"{name}@{cluster.domain}", cluster.domain, now, now, 0) for name in missing]
    keys = scram_rows(password, 4096)
    credentials = [(account[0], *row) for account in accounts for row in keys]
    into = add_to_sqlite if cluster.ids("postgres") == [] else add_to_postgres
    into(cluster, accounts, credentials)
    cluster.users.update({name: password for name in missing})
    return missing


ACCOUNT = "INSERT INTO account (jid, domain, created, password_changed, locked) VALUES {} ON CONFLICT DO NOTHING"
CREDENTIAL = ("INSERT INTO credential (jid, hash, iterations, salt, stored_key, server_key) VALUES {} "
              "ON CONFLICT DO NOTHING")


def add_to_sqlite(cluster, accounts, credentials):
    with sqlite3.connect(os.path.join(cluster.data, "store", "xylem.db"), timeout=30) as database:
        database.executemany(ACCOUNT.format("(?, ?, ?, ?, ?)"), accounts)
        database.executemany(CREDENTIAL.format("(?, ?, ?, ?, ?, ?)"), credentials)
    database.close()


def add_to_postgres(cluster, accounts, credentials):
    """By psql: one statement for each table."""
    literal = lambda value: (f"'\\x{value.hex()}'" if isinstance(value, bytes) else
                             str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'")
    rows = lambda table: ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in table)
    script = "\n".join(f"{sql.format(rows(table))};" for sql, table in ((ACCOUNT, accounts), (CREDENTIAL, credentials))
                       if table)
    cluster.psql(f"BEGIN; {script} COMMIT;")
