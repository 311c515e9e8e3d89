"""What the rows of bad input share: streams in each stage, and what must come back."""

import asyncio
import os
import xml.etree.ElementTree as ET

from cluster import Cluster
from xmpp import STREAMS, Client, StreamClosed, local


class Field:
    """One cluster for all rows of a module, started by the first test and ended at exit."""

    def __init__(self, **keywords):
        self.keywords, self.cluster = keywords, None

    def up(self, preset):
        if self.cluster is None:
            import atexit
            self.cluster = Cluster(preset=preset, **self.keywords).__enter__()
            atexit.register(self.cluster.__exit__, None, None, None)
        return self.cluster


async def fresh(cluster, tls="direct", header=True):
    """A stream before authentication."""
    client = Client(cluster.manager_address(1, "c2s_tls" if tls == "direct" else "c2s"), cluster.domain, cluster.ca)
    await client.connect(tls, header)
    return client


async def session(cluster, user="alice", manager=1, resource="", presence=False):
    """A bound session past the load balancer."""
    client = Client(cluster.manager_address(manager, "c2s_tls"), cluster.domain, cluster.ca)
    return await client.login(user, cluster.users[user], resource, "direct", presence=presence)


async def stream_error(client, timeout=10):
    """Reads until the stream ends; its error condition, '' for an end without one."""
    try:
        while True:
            await client.next(timeout)
    except StreamClosed as closed:
        return closed.condition


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


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith("VmRSS:"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


__all__ = ["Field", "fresh", "session", "stream_error", "stanza_error", "alive", "pids", "rss_kib", "descriptors",
           "STREAMS", "asyncio"]
