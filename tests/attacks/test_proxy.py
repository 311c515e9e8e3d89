"""Row 45: the header that only a load balancer may write."""

import asyncio
import json
import os
import re
import socket
import struct
import time

from attack import PLAIN, address, alive, authenticated, proxied, proxy_port
from cluster import Cluster, eventually
from xmpp import split_address

HEADER = (b"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
          b"xmlns:stream='http://etherx.jabber.org/streams'>")
V2 = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222\r\n"
ADDRESSES = socket.inet_aton("192.0.2.7") + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, 5222)


def v2(command=0x21, family=0x11, body=ADDRESSES, length=None):
    return V2 + bytes([command, family]) + struct.pack("!H", len(body) if length is None else length) + body


GOOD = {
    "v1": V1,
    "v1, IPv6": b"PROXY TCP6 2001:db8::7 ::1 4711 5222\r\n",
    "v1 UNKNOWN": b"PROXY UNKNOWN\r\n",
    "v1 UNKNOWN with more": b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    "v2": v2(),
    "v2 IPv6": v2(family=0x21, body=bytes(15) + b"\1" + bytes(15) + b"\1" + struct.pack("!HH", 4711, 5222)),
    "v2 LOCAL": v2(command=0x20, family=0, body=b""),
    "v2 UNSPEC": v2(family=0, body=b""),
    "v2 with TLVs": v2(body=ADDRESSES + b"\x05\0\x04abcd" + b"\x01\0\x02h2"),
}
BAD = {
    "none at all": b"",
    "a line of another protocol": b"GET / HTTP/1.1\r\n\r\n",
    "v1 over 107 bytes": b"PROXY TCP4 " + b"1" * 120 + b"\r\n",
    "v1 UNKNOWN over 107 bytes": b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
    "v1 bad address": b"PROXY TCP4 999.0.2.7 127.0.0.1 4711 5222\r\n",
    "v1 bad port": b"PROXY TCP4 192.0.2.7 127.0.0.1 99999 5222\r\n",
    "v1 bad family": b"PROXY TCP6 192.0.2.7 127.0.0.1 4711 5222\r\n",
    "v1 without CR": b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222\n",
    "v1 short": b"PROXY TCP4 192.0.2.7\r\n",
    "v1 long": b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222 1\r\n",
    "v2 short addresses": v2(body=b"abc"),
    "v2 without addresses": v2(body=b""),
    "v2 TLV over the end": v2(body=ADDRESSES + b"\x05\xff\xff"),
    "v2 half a TLV": v2(body=ADDRESSES + b"\x05"),
    "v2 bad version": v2(command=0x31),
    "v2 bad command": v2(command=0x2F),
    "v2 bad family": v2(family=0xF1),
    "v2 huge": v2(length=0xFFFF, body=ADDRESSES + bytes(5000)),
    "v1 twice": V1 + V1,
    "v2 twice": v2() + v2(),
    "v1 before v2": V1 + v2(),
    "v2 LOCAL before v1": v2(command=0x20, family=0, body=b"") + V1,
}


async def talk(port, data, pieces=False, wait=6, source=None):
    """What comes back within `wait` seconds after `data`, and whether the other side closed."""
    local = {"local_addr": (source, 0)} if source else {}
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **local)
    got = b""
    try:
        for i in range(0, len(data), 1 if pieces else max(len(data), 1)):
            writer.write(data[i:i + 1] if pieces else data)
            await writer.drain()
            if pieces:
                await asyncio.sleep(0)
        while True:
            part = await asyncio.wait_for(reader.read(4096), wait)
            if not part:
                return got, True
            got += part
            if b"features>" in got:
                return got, False
    except asyncio.TimeoutError:
        return got, False
    except ConnectionError:
        return got, True
    finally:
        writer.transport.abort()


def good(header, pieces):
    async def test(preset):
        cluster = PLAIN.up(preset)
        got, _ = await talk(proxy_port(cluster), header + HEADER, pieces)
        assert got.count(b"</stream:features>") == 1 and b"error" not in got, got
    return test


def bad(header, pieces):
    """No word to somebody who is not the load balancer."""
    async def test(preset):
        cluster = PLAIN.up(preset)
        got, closed = await talk(proxy_port(cluster), header + HEADER, pieces)
        # Cut, the second of two headers may be taken for the stream's first words, which it is not.
        silent = not got or (pieces and ("twice" in test.name or "before" in test.name))
        assert closed and silent and b"features" not in got, got
    return test


async def slow(preset):
    """Three seconds for all of it, and for none of it."""
    cluster = PLAIN.up(preset)

    async def one(data, direct):
        begin = time.monotonic()
        got, closed = await talk(proxy_port(cluster, direct), data)
        assert closed and not got and 2.5 < time.monotonic() - begin < 4.5, (data, time.monotonic() - begin)
    await asyncio.gather(*(one(data, direct) for data in (V1[:15], v2()[:20], V2[:3], v2(length=100))
                           for direct in (False, True)))


async def forged(preset):
    """A header on a listener without PROXY is no XML; whoever says it gets no stream. On the port of direct TLS
    it is no handshake."""
    cluster = PLAIN.up(preset)
    for header in (V1, v2(), b"PROXY UNKNOWN\r\n", v2(command=0x20, family=0, body=b"")):
        for pieces in (False, True):
            got, closed = await talk(split_address(address(cluster, 1, "c2s"))[1], header + HEADER, pieces)
            assert closed and b"features" not in got and b"proceed" not in got, got
        got, closed = await talk(split_address(address(cluster, 1, "c2s_tls"))[1], header + HEADER)
        assert closed and b"<" not in got, got
    await alive(cluster)


async def address_is_believed(preset):
    """The address in the header is what the session is said to come from."""
    cluster = PLAIN.up(preset)
    client = await proxied(cluster, "192.0.2.77")
    await client.authenticate("alice", cluster.users["alice"])
    await client.bind()
    direct = await authenticated(cluster)
    await direct.bind()
    listed = {s["jid"]: s["peer_address"] for s in json.loads(cluster.ctl("--json", "session", "list").stdout)["sessions"]}
    assert listed[client.jid] == "192.0.2.77:4711", listed
    assert listed[direct.jid].startswith("127.0.0.1:"), listed
    await client.close()
    await direct.close()


async def another_address(preset):
    """A header counts only from the addresses of the configuration: from others nothing is read, nothing is said."""
    with Cluster(managers=1, business=1, preset=preset) as cluster:
        path = os.path.join(cluster.data, "config", "connmgr-1.yaml")
        with open(path, encoding="utf-8") as text:
            config = text.read()
        assert "127.0.0.0/8" in config
        with open(path, "w", encoding="utf-8") as text:
            text.write(config.replace("127.0.0.0/8", "127.0.0.1/32"))
        cluster.kill("connmgr-1", hold=True)
        await eventually(lambda: cluster.exits(), "the manager is gone")
        cluster.start("connmgr-1")
        port = proxy_port(cluster)

        async def serves():
            try:
                return b"features" in (await talk(port, V1 + HEADER))[0]
            except OSError:
                return False
        await eventually(serves, "the manager takes headers from 127.0.0.1 again")
        for header in (V1, v2(), b""):
            got, closed = await talk(port, header + HEADER, source="127.0.0.2")
            assert closed and not got, (header, got, closed)
        assert await serves()



def named(make, header, pieces, name):
    test = make(header, pieces)
    test.name = name
    return test


TESTS = {
    **{f"row 45: good: {name}{cut}": named(good, header, bool(cut), name)
       for name, header in GOOD.items() for cut in ("", ", byte by byte")},
    **{f"row 45: bad: {name}{cut}": named(bad, header, bool(cut), name)
       for name, header in BAD.items() for cut in ("", ", byte by byte")},
    "row 45: slow": slow,
    "row 45: forged": forged,
    "row 45: the address is believed": address_is_believed,
    "row 45: from an address that is not configured": another_address,
}
