"""What the rows of bad input share: streams in each stage, and what must come back."""

import asyncio
import functools
import os
import re
import xml.etree.ElementTree as ET

import sanitizers
from cluster import Cluster
from xmpp import STREAMS, Client, StreamClosed, local, split_address


class Field:
    """One cluster for all rows of a module, started by the first test, ended by the suite."""

    def __init__(self, **keywords):
        self.keywords, self.cluster = keywords, None

    def up(self, preset):
        if self.cluster is None:
            self.cluster = Cluster(preset=preset, **self.keywords).__enter__()
            Cluster.standing.append(self.cluster)
        return self.cluster


# For every row that needs no settings of its own. Failed logins are many here and none is delayed.
PLAIN = Field(sets=("auth.failures_per_address=1000000",))
# Small limits. One business server, so that an address's failures are counted in one place.
LIMITED = Field(business=1, sets=(
    "limits.negotiation=4s", "limits.stanza_time=4s", "limits.bytes_per_second=50000", "c2s.tls=optional",
    "auth.failures_per_address=8", "auth.failure_delay=700ms", "session.resources=5", "session.conflict=refuse",
    "registration.open=true", "pep.notification_burst=50", "pep.notifications_per_second=1"))


@functools.lru_cache(maxsize=None)
def address(cluster, number=1, name="c2s_tls"):
    """A manager's own address; asked for once, since `./xylem status` takes longer than most rows."""
    return cluster.manager_address(number, name)


@functools.lru_cache(maxsize=None)
def proxy_port(cluster, direct=False):
    """The manager's PROXY listener: not in `status`, since people have no business there."""
    path = os.path.join(cluster.data, "config", "connmgr-1.yaml")
    listeners = re.findall(r'- address: "127\.0\.0\.1:(\d+)"\n(?:\s+direct_tls: (true)\n)?\s+proxy: true',
                           open(path, encoding="utf-8").read())
    return int(next(port for port, tls in listeners if bool(tls) == direct))


async def fresh(cluster, tls="direct", header=True):
    """A stream before authentication."""
    client = Client(address(cluster, 1, "c2s_tls" if tls == "direct" else "c2s"), cluster.domain, cluster.ca)
    await client.connect(tls, header)
    return client


async def proxied(cluster, source):
    """The same, by the load balancer's way in: it says that the client is at `source`."""
    client = Client(f"127.0.0.1:{proxy_port(cluster, direct=True)}", cluster.domain, cluster.ca)
    client.reader, client.writer = await asyncio.open_connection(*split_address(client.address))
    client.send(f"PROXY TCP4 {source} 127.0.0.1 4711 5223\r\n")
    context = client.tls_context()
    context.set_alpn_protocols(["xmpp-client"])
    await client.writer.start_tls(context, server_hostname=cluster.domain)
    client.restart_parser()
    client.task = asyncio.get_running_loop().create_task(client.read())
    await client.open_stream()
    return client


async def authenticated(cluster, user="alice"):
    """A stream that may bind."""
    client = await fresh(cluster)
    await client.authenticate(user, cluster.users[user])
    return client


async def session(cluster, user="alice", manager=1, resource="", presence=False):
    """A bound session past the load balancer."""
    client = Client(address(cluster, manager), cluster.domain, cluster.ca)
    return await client.login(user, cluster.users[user], resource, "direct", presence=presence)


async def stream_end(client, timeout=10):
    """Reads until the stream ends; its <stream:error/>, None for an end without one."""
    error = None
    try:
        while True:
            element = await client.next(timeout)
            error = element if element.tag == STREAMS + "error" else error
    except StreamClosed:
        return error


async def stream_error(client, timeout=10):
    """The same; the error's condition, '' where there is none."""
    error = await stream_end(client, timeout)
    return "" if error is None else local(error[0].tag)


async def stanza_error(client, ident, timeout=10):
    """The (type, condition) of the error reply with that id."""
    while True:
        element = await client.next(timeout)
        if element.get("id") == ident:
            assert element.get("type") == "error", ET.tostring(element)
            error = next(child for child in element if local(child.tag) == "error")
            return error.get("type"), local(error[0].tag)


async def alive(cluster):
    """Another client can still log in and be answered."""
    client = await session(cluster, "bob")
    await client.ping()
    await client.close()


def pids(cluster):
    return {p["id"]: p["pid"] for p in cluster.status["processes"]}


def assert_flat(preset, pid, before_kib, kib):
    """The process grew by less than that. The sanitizers keep what was freed, so nothing is asked of them."""
    now = rss_kib(pid)
    assert now < before_kib + kib or sanitizers.is_sanitized(preset), f"{pid}: {before_kib} → {now} KiB"


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith("VmRSS:"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


