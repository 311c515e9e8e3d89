"""attacks.md rows 17–31: streams, login, stanzas."""

import asyncio
import base64
import time
import xml.etree.ElementTree as ET

from attack import Field, alive, descriptors, fresh, pids, rss_kib, session, stanza_error, stream_error
from cluster import eventually
from xmpp import CLIENT, AuthFailure, StreamClosed, local, split_address

FIELD = Field(sets=("limits.negotiation=4s", "limits.stanza_time=4s", "auth.failure_delay=200ms"))
SASL_NS = "urn:ietf:params:xml:ns:xmpp-sasl"


async def drip(client, data, seconds):
    """One byte at a time, slowly; returns the stream's end."""
    async def feed():
        for i in range(len(data)):
            try:
                client.send(data[i:i + 1])
                await client.writer.drain()
            except ConnectionError:
                return
            await asyncio.sleep(0.2)
    task = asyncio.get_running_loop().create_task(feed())
    try:
        return await stream_error(client, seconds)
    finally:
        task.cancel()
        client.abort()


async def slow_header(preset):
    cluster = FIELD.up(preset)
    client = await fresh(cluster, header=False)
    assert await drip(client, client.header().encode() * 3, 12) == "connection-timeout"


async def slow_login(preset):
    cluster = FIELD.up(preset)
    client = await fresh(cluster)
    data = f"<auth xmlns='{SASL_NS}' mechanism='PLAIN'>{'A' * 200}".encode()
    assert await drip(client, data, 12) == "connection-timeout"


async def slow_stanza(preset):
    cluster = FIELD.up(preset)
    client = await session(cluster)
    begin = time.monotonic()
    await drip(client, b"<message><body>" + b"x" * 500, 15)
    assert time.monotonic() - begin < 12
    await alive(cluster)


async def slow_tls(preset):
    """Row 17: a TLS handshake that never ends."""
    cluster = FIELD.up(preset)
    host, port = split_address(cluster.manager_address(1, "c2s_tls"))
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"\x16\x03\x01")
    assert await asyncio.wait_for(reader.read(), 12) == b""
    writer.close()


async def open_close(preset):
    """Row 18, in small: memory and descriptors stay flat."""
    cluster = FIELD.up(preset)
    pid = pids(cluster)["connmgr-1"]
    host, port = split_address(cluster.manager_address(1))

    async def burst(count):
        for _ in range(count // 50):
            pairs = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(50)))
            for i, (_, writer) in enumerate(pairs):
                if i % 3:
                    writer.write(b"<stream:stream ")
                writer.transport.abort()

    await burst(2000)
    before, files = rss_kib(pid), descriptors(pid)
    await burst(6000)
    await eventually(lambda: descriptors(pid) <= files + 5, "descriptors are given back")
    assert rss_kib(pid) < before + 4096, f"{before} → {rss_kib(pid)} KiB"


async def abandoned_handshakes(preset):
    cluster = FIELD.up(preset)
    pid = pids(cluster)["connmgr-1"]
    host, port = split_address(cluster.manager_address(1, "c2s_tls"))

    async def abandon(count):
        for _ in range(count // 50):
            pairs = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(50)))
            for _, writer in pairs:
                writer.write(b"\x16\x03\x01\x00\x80\x01")
                writer.transport.abort()
    await abandon(1000)
    files, before = descriptors(pid), rss_kib(pid)
    await abandon(2000)
    await eventually(lambda: descriptors(pid) <= files + 5, "descriptors are given back")
    assert rss_kib(pid) < before + 4096


async def stanza_before_authentication(preset):
    cluster = FIELD.up(preset)
    client = await fresh(cluster)
    client.send("<message to='bob@localhost'><body>x</body></message>")
    assert await stream_error(client) == "not-authorized"
    client.abort()


async def stanza_before_bind(preset):
    cluster = FIELD.up(preset)
    client = await fresh(cluster)
    await client.authenticate("alice", cluster.users["alice"])
    client.send("<message to='bob@localhost'><body>x</body></message>")
    assert await stream_error(client) == "not-authorized"
    client.abort()


async def pipelined_behind_starttls(preset):
    """Row 20: what came in the clear is never taken for TLS-protected input."""
    cluster = FIELD.up(preset)
    client = await fresh(cluster, tls=None)
    client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
                "<message to='bob@localhost'><body>injected</body></message>")
    assert await stream_error(client) == "policy-violation"
    client.abort()


async def pipelined_behind_sasl(preset):
    """Row 21: nothing sent before <success/> counts after it."""
    cluster = FIELD.up(preset)
    client = await fresh(cluster)
    raw = base64.b64encode(f"\0alice\0{cluster.users['alice']}".encode()).decode()
    bob = await session(cluster, "bob", presence=True)
    await client.stop_reading()
    client.send(f"<auth xmlns='{SASL_NS}' mechanism='PLAIN'>{raw}</auth>"
                "<message to='bob@localhost'><body>injected</body></message>")
    # Behind <success/> a new stream begins (RFC 6120 §6.4.6), and this is no stream header.
    answer = await asyncio.wait_for(client.reader.read(-1), 10)
    assert b"<success" in answer and b"<bad-namespace-prefix " in answer, answer
    client.abort()
    await bob.ping()
    assert bob.inbox.empty()
    await bob.close()


async def starttls_required(preset):
    cluster = FIELD.up(preset)
    client = await fresh(cluster, tls=None)
    assert not client.mechanisms()
    client.send(f"<auth xmlns='{SASL_NS}' mechanism='PLAIN'>AA==</auth>")
    reply = await client.next()
    assert local(reply.tag) == "failure" and local(reply[0].tag) == "encryption-required", ET.tostring(reply)
    client.abort()
    client = await fresh(cluster, tls=None)
    client.send("<iq type='get' id='x'><query xmlns='jabber:iq:register'/></iq>")
    assert await stream_error(client) in ("policy-violation", "not-authorized")
    client.abort()


def sasl_failure(auth, condition):
    async def test(preset):
        cluster = FIELD.up(preset)
        client = await fresh(cluster)
        client.send(auth)
        reply = await client.next()
        assert local(reply.tag) == "failure", ET.tostring(reply)
        assert local(reply[0].tag) == condition, ET.tostring(reply)
        client.abort()
    return test


def auth(mechanism, data):
    if isinstance(data, bytes):
        data = base64.b64encode(data).decode()
    return f"<auth xmlns='{SASL_NS}' mechanism='{mechanism}'>{data}</auth>"


SASL_ROWS = [
    (23, "unknown mechanism", auth("X-NONE", b""), "invalid-mechanism"),
    (23, "bad base64", auth("PLAIN", "!!!"), "incorrect-encoding"),
    (23, "base64 with white space inside", auth("PLAIN", "AGFs aWNl"), "incorrect-encoding"),
    (23, "no separators", auth("PLAIN", b"alice"), "malformed-request"),
    (23, "too many separators", auth("PLAIN", b"\0a\0b\0c"), "malformed-request"),
    (23, "SCRAM garbage", auth("SCRAM-SHA-256", b"garbage"), "malformed-request"),
    (23, "SCRAM mandatory extension", auth("SCRAM-SHA-256", b"n,,m=x,n=alice,r=abcdefgh"), "malformed-request"),
    (24, "another authzid", auth("SCRAM-SHA-256", b"n,a=bob@localhost,n=alice,r=abcdefgh"), "invalid-authzid"),
    # RFC 5802 §6 has authentication fail where the flag does not fit the mechanism.
    (25, "binding on a plain mechanism", auth("SCRAM-SHA-256", b"p=tls-exporter,,n=alice,r=abcdefgh"),
     "not-authorized"),
    (25, "y although binding was offered", auth("SCRAM-SHA-256", b"y,,n=alice,r=abcdefgh"), "not-authorized"),
]


async def plain_authzid(preset):
    cluster = FIELD.up(preset)
    client = await fresh(cluster)
    client.send(auth("PLAIN", f"bob@localhost\0alice\0{cluster.users['alice']}".encode()))
    reply = await client.next()
    assert local(reply[0].tag) in ("invalid-authzid", "not-authorized"), ET.tostring(reply)
    client.abort()
    # the same account, written otherwise, is the same account
    client = await fresh(cluster)
    client.send(auth("PLAIN", f"ALICE@localhost\0Alice\0{cluster.users['alice']}".encode()))
    assert local((await client.next()).tag) == "success"
    client.restart_parser()
    await client.open_stream()
    await client.bind()
    assert client.jid.startswith("alice@localhost/")
    await client.close()


async def unknown_user(preset):
    """Row 26: same steps, same error, stable salt."""
    cluster = FIELD.up(preset)
    salts = {}
    for user in ("alice", "nobody-here", "nobody-here"):
        client = await fresh(cluster)
        client.send(auth("SCRAM-SHA-256", f"n,,n={user},r=abcdefghijk".encode()))
        challenge = base64.b64decode((await client.next()).text).decode()
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        salts.setdefault(user, set()).add((fields["s"], fields["i"]))
        client.abort()
        client = await fresh(cluster)
        try:
            await client.authenticate(user, "wrong")
            raise AssertionError("let in")
        except AuthFailure as failure:
            assert failure.condition == "not-authorized"
        client.abort()
    assert len(salts["nobody-here"]) == 1
    assert {i for _, i in salts["alice"]} == {i for _, i in salts["nobody-here"]}


async def too_many_failures(preset):
    cluster = FIELD.up(preset)
    client = await fresh(cluster)
    failures = 0
    try:
        for _ in range(10):
            client.send(auth("PLAIN", b"\0alice\0wrong"))
            reply = await client.next(30)
            if local(reply.tag) == "error":
                break
            assert local(reply[0].tag) == "not-authorized"
            failures += 1
    except StreamClosed as closed:
        assert closed.condition == "policy-violation", closed
    assert 5 <= failures <= 6, failures
    client.abort()


def bad_resource(resource, conditions):
    async def test(preset):
        cluster = FIELD.up(preset)
        client = await fresh(cluster)
        await client.authenticate("alice", cluster.users["alice"])
        client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                    f"<resource>{resource}</resource></bind></iq>")
        assert (await stanza_error(client, "b"))[1] in conditions
        # the stream lives and may bind
        await client.bind("good")
        await client.close()
    return test


async def too_many_resources(preset):
    cluster = FIELD.up(preset)
    cluster.add_user("many")
    clients, refused = [], None
    try:
        for i in range(60):
            client = await fresh(cluster)
            await client.authenticate("many", cluster.users["many"])
            client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                        f"<resource>r{i}</resource></bind></iq>")
            reply = await client.next()
            clients.append(client)
            if reply.get("type") == "error":
                error = next(c for c in reply if local(c.tag) == "error")
                refused = (error.get("type"), local(error[0].tag))
                break
        assert refused == ("wait", "resource-constraint"), refused
    finally:
        await asyncio.gather(*(c.close() for c in clients))


async def conflict(preset):
    """Row 28: the newer session of one resource replaces the older."""
    cluster = FIELD.up(preset)
    old = await session(cluster, resource="same", manager=1)
    new = await session(cluster, resource="same", manager=2)
    assert await stream_error(old) == "conflict"
    old.abort()
    await new.ping()
    await new.close()


async def foreign_from(preset):
    cluster = FIELD.up(preset)
    for sender in ("bob@localhost", "bob@localhost/x", "alice@localhost/other"):
        client = await session(cluster, resource="mine")
        client.send(f"<message from='{sender}' to='bob@localhost'><body>x</body></message>")
        assert await stream_error(client) == "invalid-from", sender
        client.abort()
    client = await session(cluster, resource="mine")
    bob = await session(cluster, "bob", presence=True)
    await bob.ping()
    for sender in ("alice@localhost", client.jid):
        client.send(f"<message from='{sender}' to='{bob.jid}'><body>x</body></message>")
        assert (await bob.next()).get("from") == client.jid
    await client.close()
    await bob.close()


BAD_JIDS = ["@localhost", "a@", "a@b@c", "a@b/", "/x", "a b@localhost", "x" * 1100 + "@localhost",
            "a@" + "x" * 1100, "a@local host", "ab\u05d0@localhost", "\u0378@localhost", "a@xn--a", "a@-b.example",
            "a&amp;b@localhost"]


async def bad_addresses(preset):
    cluster = FIELD.up(preset)
    client = await session(cluster)
    for i, jid in enumerate(BAD_JIDS):
        client.send(f"<message to=\"{jid}\" id='j{i}'><body>x</body></message>")
        got = await stanza_error(client, f"j{i}")
        assert got == ("modify", "jid-malformed"), (jid, got)
    # normalised addresses are the same address: full-width, upper case, trailing dot
    bob = await session(cluster, "bob", presence=True)
    await bob.ping()
    for i, jid in enumerate(("BOB@localhost", "\uff42ob@localhost", "bob@LOCALHOST", "bob@localhost.")):
        client.send(f"<message to='{jid}' id='n{i}'><body>x</body></message>")
        assert (await bob.next()).get("id") == f"n{i}", jid
    await client.close()
    await bob.close()


async def bad_iqs(preset):
    cluster = FIELD.up(preset)
    client = await session(cluster)
    ping = "<ping xmlns='urn:xmpp:ping'/>"
    for i, (kind, inner) in enumerate((("bogus", ping), ("get", ""), ("set", ""), ("get", ping + ping))):
        client.send(f"<iq type='{kind}' id='q{i}' to='localhost'>{inner}</iq>")
        assert await stanza_error(client, f"q{i}") == ("modify", "bad-request"), kind
    client.send(f"<iq type='get' to='localhost'>{ping}</iq>")
    reply = await client.next()
    assert reply.tag == CLIENT + "iq" and reply.get("type") == "error", ET.tostring(reply)
    client.send(f"<iq to='localhost' id='q9'>{ping}</iq>")
    assert await stanza_error(client, "q9") == ("modify", "bad-request")
    # forged results pass by
    client.send("<iq type='result' id='whatever' to='localhost'/>")
    client.send("<iq type='error' id='whatever' to='localhost'><error type='cancel'/></iq>")
    assert not await client.ping()
    await client.close()


async def compression(preset):
    """Row 43: not offered, refused."""
    cluster = FIELD.up(preset)
    client = await fresh(cluster)
    assert not [f for f in client.features if "compress" in f.tag]
    client.send("<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>")
    try:
        reply = await client.next()
        assert local(reply.tag) in ("failure", "error"), ET.tostring(reply)
    except StreamClosed as closed:
        assert closed.condition, closed
    client.abort()


TESTS = {
    "row 17: slow header": slow_header,
    "row 17: slow login": slow_login,
    "row 17: slow stanza": slow_stanza,
    "row 17: slow TLS": slow_tls,
    "row 18: open and close": open_close,
    "row 18: abandoned handshakes": abandoned_handshakes,
    "row 19: stanza before authentication": stanza_before_authentication,
    "row 19: stanza before bind": stanza_before_bind,
    "row 20: bytes behind starttls": pipelined_behind_starttls,
    "row 21: bytes behind SASL": pipelined_behind_sasl,
    "row 22: TLS required": starttls_required,
    **{f"row {row}: {name}": sasl_failure(data, condition) for row, name, data, condition in SASL_ROWS},
    "row 24: authzid with PLAIN": plain_authzid,
    "row 26: unknown user": unknown_user,
    "row 27: too many failures": too_many_failures,
    "row 28: resource too long": bad_resource("x" * 1100, ("bad-request", "jid-malformed")),
    "row 28: resource with a control character": bad_resource("a\u200eb", ("bad-request", "jid-malformed")),
    "row 28: too many resources": too_many_resources,
    "row 28: conflict": conflict,
    "row 29: foreign from": foreign_from,
    "row 30: addresses": bad_addresses,
    "row 31: iq": bad_iqs,
    "row 43: compression": compression,
}
