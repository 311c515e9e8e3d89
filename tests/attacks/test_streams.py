"""Rows 17–22: slow peers, floods, and what may be said when."""

import asyncio
import base64
import ssl
import time
import xml.etree.ElementTree as ET

from attack import LIMITED, PLAIN, address, alive, assert_flat, authenticated, descriptors, fresh, pids, \
    rss_kib, session, stream_error
from cluster import eventually
from xmpp import AuthFailure, Client, Scram, StreamClosed, local, split_address

SASL_NS = "urn:ietf:params:xml:ns:xmpp-sasl"
STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
REGISTER = "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>"
MESSAGE = "<message to='bob@localhost'><body>injected</body></message>"
LIMIT = 4  # s, of LIMITED: whole negotiation, and one stanza


def auth(mechanism, data):
    if isinstance(data, bytes):
        data = base64.b64encode(data).decode()
    return f"<auth xmlns='{SASL_NS}' mechanism='{mechanism}'>{data}</auth>"


def plain(cluster, user="alice"):
    return auth("PLAIN", f"\0{user}\0{cluster.users[user]}".encode())


# --- row 17: one byte now and then

async def drip(write, data, ended):
    """Gives `data` byte by byte until `ended()` returns; returns its result and how long that took."""
    async def feed():
        try:
            for i in range(len(data)):
                write(data[i:i + 1])
                await asyncio.sleep(0.2)
        except ConnectionError:
            pass
    begin = time.monotonic()
    task = asyncio.get_running_loop().create_task(feed())
    try:
        return await ended(), time.monotonic() - begin
    finally:
        task.cancel()


async def slow_stream(begin, data):
    """`begin`: makes the stream. It ends with `connection-timeout`, and not before it must."""
    start = time.monotonic()
    client = await begin()
    got, _ = await drip(client.send, data, lambda: stream_error(client, 3 * LIMIT))
    elapsed = time.monotonic() - start
    client.abort()
    assert got == "connection-timeout" and LIMIT - 0.5 < elapsed < 2 * LIMIT, (got, elapsed)


async def in_response(cluster):
    client = await fresh(cluster)
    client.send(auth("SCRAM-SHA-256", b"n,,n=alice,r=abcdefghijk"))
    assert local((await client.next()).tag) == "challenge"
    return client


async def slow_streams(preset):
    cluster = LIMITED.up(preset)
    response = f"<response xmlns='{SASL_NS}'>{'A' * 200}".encode()
    await asyncio.gather(
        slow_stream(lambda: fresh(cluster, header=False), b""),
        slow_stream(lambda: fresh(cluster, header=False), (Client("").header() * 3).encode()),
        slow_stream(lambda: fresh(cluster, tls=None), b""),
        slow_stream(lambda: fresh(cluster, tls=None), b" " * 200),
        slow_stream(lambda: fresh(cluster), auth("PLAIN", b"A" * 200).encode()),
        slow_stream(lambda: in_response(cluster), response),
        slow_stream(lambda: authenticated(cluster), b"<iq type='set' id='b'>" + b" " * 200),
        slow_stream(lambda: session(cluster), b"<message><body>" + b"x" * 500))
    # A session that says nothing, or only white space, may go on.
    client = await session(cluster)
    begin = time.monotonic()
    while time.monotonic() - begin < LIMIT + 1:
        client.send(" ")
        await asyncio.sleep(0.2)
    await client.ping()
    await client.close()


async def slow_tls(preset):
    """A TLS handshake that never ends, begun by nothing, by its first bytes, or behind STARTTLS."""
    cluster = LIMITED.up(preset)
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)

    async def one(name, data, starttls=False):
        reader, writer = await asyncio.open_connection(*split_address(address(cluster, 1, name)))
        begin = time.monotonic()
        if starttls:
            writer.write((Client("").header() + STARTTLS).encode())
            await asyncio.wait_for(reader.readuntil(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), 10)
        rest, _ = await drip(writer.write, data, lambda: asyncio.wait_for(reader.read(), 3 * LIMIT))
        assert rest == b"" and LIMIT - 0.5 < time.monotonic() - begin < 2 * LIMIT
        writer.close()
    await asyncio.gather(one("c2s_tls", b""), one("c2s_tls", hello), one("c2s", b"", True), one("c2s", hello, True))
    await alive(cluster)


# --- row 18: many who stay not

async def flat(preset, burst, first, then, kib):
    """`burst(n)` again and again costs neither memory nor descriptors, in any process."""
    cluster = PLAIN.up(preset)
    processes = {i: p for i, p in pids(cluster).items() if i == "connmgr-1" or i.startswith("business")}
    await burst(first)
    await alive(cluster)
    before = {i: (rss_kib(p), descriptors(p)) for i, p in processes.items()}
    await burst(then)
    await alive(cluster)
    for ident, pid in processes.items():
        memory, files = before[ident]
        await eventually(lambda: descriptors(pid) <= files + 5, f"{ident} gives descriptors back")
        assert_flat(preset, pid, memory, kib)


async def open_close(preset):
    """Connections that say nothing, half a header, or a header, and go: 2 MiB are 180 bytes for each."""
    cluster = PLAIN.up(preset)
    host, port = split_address(address(cluster, 1, "c2s"))
    said = (b"", b"<stream:stream ", Client("").header().encode())

    async def burst(count):
        for _ in range(count // 60):
            pairs = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(60)))
            for i, (_, writer) in enumerate(pairs):
                writer.write(said[i % 3])
                writer.transport.abort()
    await flat(preset, burst, 6000, 12000, 2048)


async def abandoned_handshakes(preset):
    """Handshakes that end behind half a ClientHello, or behind a whole one."""
    cluster = PLAIN.up(preset)
    host, port = split_address(address(cluster))
    outgoing = ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()

    async def one(whole):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(hello if whole else hello[:50])
        if whole:
            await reader.read(1000)
        writer.transport.abort()

    async def burst(count):
        for _ in range(count // 50):
            await asyncio.gather(*(one(i % 2 == 1) for i in range(50)))
    await flat(preset, burst, 1500, 3000, 2048)


async def abandoned_logins(preset):
    """Streams that end in the middle of a login: what the business servers keep for them goes, too."""
    cluster = PLAIN.up(preset)

    async def one():
        client = await in_response(cluster)
        client.abort()

    async def burst(count):
        for _ in range(count // 25):
            await asyncio.gather(*(one() for _ in range(25)))
    await flat(preset, burst, 200, 500, 2048)
    streams = lambda: sum(cluster.metric_sum(i, "xylem_auth_streams") for i in cluster.ids("business"))
    await eventually(lambda: streams() == 0, "no stream is kept")


# --- rows 19–22: the order of things

def too_early(begin, data, expected):
    async def test(preset):
        cluster = PLAIN.up(preset)
        client = await begin(cluster)
        client.send(data)
        got = await stream_error(client)
        client.abort()
        assert got == expected, got
    return test


def without_tls(cluster):
    return fresh(cluster, tls=None)


# RFC 6120 §4.9.3.12: a stanza before authentication, and RFC 6120 §7.1 before a resource is bound.
TOO_EARLY = {
    f"row 19: {name} {when}": too_early(begin, data, "not-authorized")
    for when, begin in (("before TLS", without_tls), ("before authentication", fresh), ("before bind", authenticated))
    for name, data in (("message", MESSAGE), ("presence", "<presence/>"), ("registration", REGISTER),
                       ("ping", "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"))
    # Strangers may ask for an account on an encrypted stream; see below.
    if (name, when) != ("registration", "before authentication")}


async def registration_before_authentication(preset):
    """XEP-0077: where accounts are not for strangers the iq is answered so, and the stream goes on."""
    cluster = PLAIN.up(preset)
    client = await fresh(cluster)
    client.send(REGISTER)
    element = await client.next()
    assert (element.get("type"), local(element[-1][0].tag)) == ("error", "not-allowed"), element.attrib
    await client.authenticate("alice", cluster.users["alice"])
    await client.bind("after-asking")
    await client.close()


async def bind_before_authentication(preset):
    cluster = PLAIN.up(preset)
    client = await fresh(cluster)
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    assert await stream_error(client) == "not-authorized"
    client.abort()


async def pipelined_behind_starttls(preset):
    """Row 20: what came in the clear is never taken for TLS-protected input."""
    cluster = PLAIN.up(preset)
    for behind in (MESSAGE, Client("").header(), "\n" + MESSAGE, "x", "\x16"):
        client = await fresh(cluster, tls=None)
        client.send(STARTTLS + behind)
        got = await stream_error(client)
        assert got == "policy-violation", (behind, got)
        client.abort()
    # In a segment of its own it is a broken handshake, and nobody's first words.
    client = await fresh(cluster, tls=None)
    client.send(STARTTLS)
    assert local((await client.next()).tag) == "proceed"
    client.send(Client("").header())
    try:
        await client.next()
        raise AssertionError("answered in the clear")
    except StreamClosed:
        client.abort()


async def line_end_behind_starttls(preset):
    """Row 20, as far as it can harm: white space says nothing, clients send it, and it is dropped."""
    cluster = PLAIN.up(preset)
    client = await fresh(cluster, tls=None)
    send = client.send
    client.send = lambda data: send(data.replace("-tls'/>", "-tls'/>\r\n") if isinstance(data, str) else data)
    await client.start_tls()
    await client.authenticate("alice", cluster.users["alice"])
    await client.bind()
    await client.close()


async def tls_begins_anew(preset):
    """Row 20: neither prefixes nor anything else said before TLS holds after it."""
    cluster = PLAIN.up(preset)
    client = await fresh(cluster, tls=None, header=False)
    client.send(client.header()[:-1] + " xmlns:old='u:x'>")
    await client.next()
    before = client.root.get("id")
    await client.next()
    await client.start_tls()
    assert client.root.get("id") != before and client.mechanisms()
    client.send("<old:hello/>")
    assert await stream_error(client) == "not-well-formed"
    client.abort()


async def sasl_begins_anew(preset):
    """Row 21: the same for what was said before <success/>."""
    cluster = PLAIN.up(preset)
    client = await fresh(cluster, header=False)
    client.send(client.header()[:-1] + " xmlns:old='u:x'>")
    await client.next()
    before = client.root.get("id")
    client.features = await client.next()
    await client.authenticate("alice", cluster.users["alice"])
    assert client.root.get("id") != before and not client.mechanisms()
    client.send("<old:hello/>")
    assert await stream_error(client) == "not-well-formed"
    client.abort()


async def pipelined_behind_sasl(preset):
    """Row 21: nothing sent before <success/> counts after it. RFC 6120 §6.4.6: behind it a new stream begins,
    and this is no stream header."""
    cluster = PLAIN.up(preset)
    bob = await session(cluster, "bob", presence=True)
    await bob.ping()
    client = await fresh(cluster)
    await client.stop_reading()
    client.send(plain(cluster) + MESSAGE)
    answer = await asyncio.wait_for(client.reader.read(-1), 10)
    assert b"<success" in answer and b"<bad-namespace-prefix " in answer, answer
    client.abort()
    assert not await bob.ping()
    await bob.close()


async def pipelined_behind_response(preset):
    """Row 21: between <response/> and its answer nothing is read either."""
    cluster = PLAIN.up(preset)
    bob = await session(cluster, "bob", presence=True)
    await bob.ping()
    client = await fresh(cluster)
    scram = Scram("SCRAM-SHA-256", "alice", cluster.users["alice"])
    client.send(auth("SCRAM-SHA-256", scram.first()))
    challenge = base64.b64decode((await client.next()).text)
    await client.stop_reading()
    final = base64.b64encode(scram.final(challenge)).decode()
    client.send(f"<response xmlns='{SASL_NS}'>{final}</response>{MESSAGE}")
    answer = await asyncio.wait_for(client.reader.read(-1), 10)
    assert b"<success" in answer and b"<bad-namespace-prefix " in answer, answer
    client.abort()
    assert not await bob.ping()
    await bob.close()


async def no_restart(preset):
    """Row 21: after <success/> only a new stream is possible."""
    cluster = PLAIN.up(preset)
    client = await fresh(cluster)
    client.send(plain(cluster))
    assert local((await client.next()).tag) == "success"
    client.restart_parser()
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    assert await stream_error(client) == "bad-namespace-prefix"
    client.abort()


async def restart_elsewhere(preset):
    """Row 21: the new stream is of the account that was verified, and of its domain."""
    cluster = PLAIN.up(preset)
    for attribute, expected in ((" from='bob@localhost'", "invalid-from"), (" from='alice@localhost'", "")):
        client = await fresh(cluster)
        client.send(plain(cluster))
        assert local((await client.next()).tag) == "success"
        client.restart_parser()
        client.send(client.header()[:-1] + attribute + ">")
        if expected:
            assert await stream_error(client) == expected
        else:
            assert local((await client.next()).tag) == "stream" and local((await client.next()).tag) == "features"
        client.abort()


async def second_login(preset):
    """Row 21: SASL once a stream; behind it, it is an element that nobody knows."""
    cluster = PLAIN.up(preset)
    for begin in (authenticated, session):
        client = await begin(cluster)
        client.send(plain(cluster, "bob"))
        assert await stream_error(client) == "unsupported-stanza-type"
        client.abort()


async def starttls_required(preset):
    """Row 22. A stanza gets `not-authorized` (RFC 6120 §4.9.3.12, row 19), anything else `policy-violation`."""
    cluster = PLAIN.up(preset)
    client = await fresh(cluster, tls=None)
    assert not client.mechanisms()
    starttls = client.features.find("{urn:ietf:params:xml:ns:xmpp-tls}starttls")
    assert starttls.find("{urn:ietf:params:xml:ns:xmpp-tls}required") is not None
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        client.send(auth(mechanism, b"\0alice\0" + cluster.users["alice"].encode()))
        reply = await client.next()
        assert local(reply.tag) == "failure" and local(reply[0].tag) == "encryption-required", ET.tostring(reply)
    client.abort()
    for element in ("<enable xmlns='urn:xmpp:sm:3'/>", "<hello/>", f"<response xmlns='{SASL_NS}'/>"):
        client = await fresh(cluster, tls=None)
        client.send(element)
        assert await stream_error(client) == "policy-violation", element
        client.abort()


async def starttls_twice(preset):
    cluster = PLAIN.up(preset)
    client = await fresh(cluster, tls="starttls")
    assert client.features.find("{urn:ietf:params:xml:ns:xmpp-tls}starttls") is None
    client.send(STARTTLS)
    assert await stream_error(client) == "unsupported-stanza-type"
    client.abort()


async def plain_without_tls(preset):
    """Row 22: where TLS is optional, a password still never passes in the clear."""
    cluster = LIMITED.up(preset)
    client = await fresh(cluster, tls=None)
    assert client.mechanisms() and "PLAIN" not in client.mechanisms()
    assert not [m for m in client.mechanisms() if m.endswith("-PLUS")], client.mechanisms()
    try:
        await client.authenticate("alice", cluster.users["alice"], "PLAIN")
        raise AssertionError("let in")
    except AuthFailure as failure:
        assert failure.condition == "encryption-required"
    await client.authenticate("alice", cluster.users["alice"], "SCRAM-SHA-256")
    await client.bind()
    await client.close()


async def compression(preset):
    """Row 43: not offered; refused before and after login (XEP-0138 §4)."""
    cluster = PLAIN.up(preset)
    for begin in (fresh, authenticated, session):
        client = await begin(cluster)
        assert not [f for f in client.features if "compress" in f.tag]
        client.send("<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>")
        reply = await client.next()
        assert local(reply.tag) == "failure" and local(reply[0].tag) == "unsupported-method", ET.tostring(reply)
        client.abort()


TESTS = {
    "row 17: slow streams": slow_streams,
    "row 17: slow TLS": slow_tls,
    "row 18: open and close": open_close,
    "row 18: abandoned handshakes": abandoned_handshakes,
    "row 18: abandoned logins": abandoned_logins,
    **TOO_EARLY,
    "row 19: bind before authentication": bind_before_authentication,
    "row 19: registration before authentication": registration_before_authentication,
    "row 20: bytes behind starttls": pipelined_behind_starttls,
    "row 20: line end behind starttls": line_end_behind_starttls,
    "row 20: TLS begins anew": tls_begins_anew,
    "row 21: SASL begins anew": sasl_begins_anew,
    "row 21: bytes behind SASL": pipelined_behind_sasl,
    "row 21: bytes behind the response": pipelined_behind_response,
    "row 21: no restart": no_restart,
    "row 21: restart as somebody else": restart_elsewhere,
    "row 21: a second login": second_login,
    "row 22: TLS required": starttls_required,
    "row 22: STARTTLS twice": starttls_twice,
    "row 22: PLAIN without TLS": plain_without_tls,
    "row 43: compression": compression,
}
