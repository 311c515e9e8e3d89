"""Rows 28–31: resources, senders, addresses, iqs."""

import asyncio
import xml.etree.ElementTree as ET

from attack import LIMITED, PLAIN, authenticated, session, stanza_error, stream_error
from xmpp import CLIENT, local

PING = "<ping xmlns='urn:xmpp:ping'/>"


def bind_iq(resource):
    return ("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            f"<resource>{resource}</resource></bind></iq>")


def bad_bind(iq, expected):
    """That error; the stream lives and may bind."""
    async def test(preset):
        client = await authenticated(PLAIN.up(preset))
        client.send(iq)
        assert await stanza_error(client, "b") == expected
        await client.bind("good")
        await client.ping()
        await client.close()
    return test


MALFORMED, BAD = ("modify", "jid-malformed"), ("modify", "bad-request")
# RFC 7622 §3.4: OpaqueString, at most 1023 bytes, of FreeformClass characters. What RFC 6120 §7.7.2.1 has
# `bad-request` for.
BINDS = {
    "too long": (bind_iq("x" * 1024), BAD),
    "too long in bytes": (bind_iq("\u20ac" * 342), BAD),
    "a mark for direction": (bind_iq("a\u200eb"), MALFORMED),
    "a control character": (bind_iq("a&#x7f;b"), MALFORMED),
    "a line feed": (bind_iq("a\nb"), MALFORMED),
    "an unassigned character": (bind_iq("a\u0378b"), MALFORMED),
    "a private character without a meaning": (bind_iq("a\ufdd0b"), MALFORMED),
    "two binds": ("<iq type='set' id='b'>" + "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>" * 2 + "</iq>", BAD),
    "get": ("<iq type='get' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", BAD),
}


async def good_resources(preset):
    """Row 28: what is allowed is taken, composed; without a wish, or with an empty one, the server's is its own
    each time."""
    cluster = PLAIN.up(preset)
    for wish, given in (("x" * 1023, "x" * 1023), ("a b/@\u2603", "a b/@\u2603"), ("e\u0301\u2003x", "\u00e9 x")):
        client = await authenticated(cluster)
        await client.bind(wish)
        assert client.jid == f"alice@localhost/{given}", client.jid
        await client.close()
    made = set()
    for i in range(6):
        client = await authenticated(cluster)
        client.send(bind_iq("") if i % 2 else bind_iq("").replace("<resource></resource>", ""))
        made.add(list((await client.next()).iter("{urn:ietf:params:xml:ns:xmpp-bind}jid"))[0].text)
        client.abort()
    assert len(made) == 6 and all(len(jid.partition("/")[2]) >= 8 for jid in made), made


async def too_many_resources(preset):
    """Row 28: five here (RFC 6120 §7.6.2.1); when one has gone there is room again."""
    cluster = LIMITED.up(preset)
    cluster.add_user("many")
    clients = await asyncio.gather(*(session(cluster, "many") for _ in range(5)))
    client = await authenticated(cluster, "many")
    for _ in range(2):
        client.send(bind_iq("sixth"))
        assert await stanza_error(client, "b") == ("wait", "resource-constraint")
    await clients.pop().close()
    await client.bind("sixth")
    await asyncio.gather(*(c.close() for c in (client, *clients)))


async def conflict(preset):
    """Row 28: the newer session of one resource replaces the older, on whatever manager."""
    cluster = PLAIN.up(preset)
    old = await session(cluster, resource="same", manager=1)
    new = await session(cluster, resource="same", manager=2)
    assert await stream_error(old) == "conflict"
    old.abort()
    await new.ping()
    await new.close()


async def conflict_refused(preset):
    """Row 28: or is refused, where it is configured so (RFC 6120 §7.7.2.2)."""
    cluster = LIMITED.up(preset)
    old = await session(cluster, resource="same", manager=1)
    new = await authenticated(cluster)
    new.send(bind_iq("same"))
    assert await stanza_error(new, "b") == ("cancel", "conflict")
    await old.ping()
    await new.bind("other")
    await asyncio.gather(old.close(), new.close())


async def foreign_from(preset):
    """Row 29: whoever speaks for others is gone, and nobody has heard it."""
    cluster = PLAIN.up(preset)
    bob = await session(cluster, "bob", presence=True)
    await bob.ping()
    for sender in ("bob@localhost", "bob@localhost/x", "alice@localhost/other", "localhost", "alice@elsewhere.example",
                   "alice@localhost/mine/", "@localhost", "alice", "alice@localhost/"):
        for stanza in (f"<message from='{sender}' to='{bob.jid}'><body>x</body></message>",
                       f"<presence from='{sender}' to='{bob.jid}'/>",
                       f"<iq from='{sender}' to='{bob.jid}' type='get' id='f'>{PING}</iq>"):
            client = await session(cluster, resource="mine")
            client.send(stanza)
            assert await stream_error(client) == "invalid-from", stanza
            client.abort()
    assert not await bob.ping()
    await bob.close()


async def from_is_written_by_the_server(preset):
    """Row 29: with no `from`, the bare JID or the full one, in whatever spelling: the session's own JID. An empty
    one is no address: the sender is told, nobody else hears of it."""
    cluster = PLAIN.up(preset)
    client = await session(cluster, resource="mine")
    bob = await session(cluster, "bob", manager=2, presence=True)
    await bob.ping()
    for sender in ("", "from='alice@localhost'", f"from='{client.jid}'", "from='ALICE@LOCALHOST/mine'"):
        for stanza in (f"<message {sender} to='{bob.jid}'><body>x</body></message>",
                       f"<presence {sender} to='{bob.jid}'/>",
                       f"<iq {sender} to='{bob.jid}' type='get' id='f'>{PING}</iq>"):
            client.send(stanza)
            element = await bob.next()
            assert element.get("from") == client.jid == "alice@localhost/mine", (stanza, ET.tostring(element))
    client.send(f"<message id='e' from='' to='{bob.jid}'><body>x</body></message>")
    assert await stanza_error(client, "e") == ("modify", "jid-malformed")
    assert not await bob.ping()
    await client.close()
    await bob.close()


# Row 30: each is malformed by one rule.
BAD_JIDS = {
    "no localpart": "@localhost", "no domainpart": "a@", "no resourcepart": "a@b/", "only a resource": "/x",
    "double @": "a@b@c", "only @": "@", "space": "a b@localhost", "long localpart": "x" * 1024 + "@localhost",
    "long domainpart": "a@" + "x" * 1024, "long resourcepart": "a@localhost/" + "x" * 1024,
    "over 3071 bytes": "x" * 1023 + "@" + "x" * 1023 + "/" + "x" * 1024, "space in the domain": "a@local host",
    "mixed direction": "ab\u05d0@localhost", "digit before right-to-left": "1\u05d0@localhost",
    "unassigned": "\u0378@localhost", "unassigned in the resource": "a@localhost/\u0378",
    "not an A-label": "a@xn--a", "hyphen first": "a@-b.example", "hyphen last": "a@b-.example",
    "empty label": "a@b..example", "leading dot": "a@.b", "only a dot": "a@.", "long label": f"a@{'x' * 64}.example",
    "underline in the domain": "a@b_c.example", "symbol in the domain": "a@\u2603.example",
    "ampersand": "a&amp;b@localhost", "quotation mark": "a&quot;b@localhost", "apostrophe": "a&apos;b@localhost",
    "colon": "a:b@localhost", "less-than": "a&lt;b@localhost", "line feed": "a&#10;b@localhost",
    "symbol": "\u2603@localhost", "bidi override": "a\u202eb@localhost", "zero width joiner": "a\u200db@localhost",
    "open bracket": "a@[::1", "no IPv6 address": "a@[::g]",
}


async def bad_addresses(preset):
    cluster = PLAIN.up(preset)
    client = await session(cluster)
    for i, (name, jid) in enumerate(BAD_JIDS.items()):
        for stanza in (f'<message to="{jid}" id="m{i}"><body>x</body></message>', f'<presence to="{jid}" id="p{i}"/>',
                       f'<iq to="{jid}" id="q{i}" type="get">{PING}</iq>'):
            client.send(stanza)
            got = await stanza_error(client, ET.fromstring(stanza).get("id"))
            assert got == MALFORMED, (name, stanza[:100], got)
    await client.ping()
    await client.close()


async def one_address(preset):
    """Row 30: only normalised addresses are compared: spellings of one address are one address."""
    cluster = PLAIN.up(preset)
    client = await session(cluster)
    cluster.add_user("stra\u00dfe")
    bob = await session(cluster, "bob", resource="\u00e9", presence=True)
    await bob.ping()
    for i, jid in enumerate(("BOB@localhost", "\uff42ob@localhost", "bob@LOCALHOST", "bob@localhost.",
                             "bob@\uff4cocalhost", "bob@localhost\u3002", "bob@localhost/e\u0301")):
        client.send(f"<message to='{jid}' id='n{i}'><body>x</body></message>")
        element = await bob.next()
        assert element.get("id") == f"n{i}" and element.get("type") != "error", (jid, ET.tostring(element))
    # Resources keep their case, and what a case folding would make one stays two.
    for i, jid in enumerate(("bob@localhost/\u00c9", "stra\u00dfe@localhost", "strasse@localhost")):
        client.send(f"<iq type='get' to='{jid}' id='o{i}'>{PING}</iq>")
        assert await stanza_error(client, f"o{i}") == ("cancel", "service-unavailable"), jid
    assert not await bob.ping()
    await client.close()
    await bob.close()


def confusable_names(preset):
    """Row 30: a name that looks like another one is not registered; one in a script of its own is."""
    cluster = PLAIN.up(preset)
    add = lambda name: cluster.ctl("user", "add", f"{name}@localhost", "--password-stdin", input="secret\n",
                                   check=False)
    for name in ("\u0430lice", "p\u0430ypal", "b\u03bfb", "\u0430\u0441\u0435"):  # Cyrillic а, с, е; Greek ο
        result = add(name)
        assert result.returncode != 0 and result.stderr, (name, result)
    assert add("Alice").returncode == 4 and add("\uff41lice").returncode == 4  # it is there already
    for name in ("\u0431\u043e\u0440\u0438\u0441", "\u05d3\u05d5\u05d3", "j\u00fcrgen"):
        assert add(name).returncode == 0, name


async def bad_iqs(preset):
    """Row 31: RFC 6120 §8.2.3."""
    cluster = PLAIN.up(preset)
    client = await session(cluster)
    for to in ("", "to='localhost'", "to='alice@localhost'", "to='bob@localhost'", f"to='{client.jid}'"):
        for i, (kind, inner) in enumerate((("bogus", PING), ("get", ""), ("set", ""), ("get", PING + PING),
                                           ("set", PING + "<x xmlns='u:x'/>"), ("", PING), ("GET", PING),
                                           ("get", "only text"), ("subscribe", PING))):
            client.send(f"<iq type='{kind}' id='q{i}' {to}>{inner}</iq>")
            assert await stanza_error(client, f"q{i}") == BAD, (to, kind, inner)
        client.send(f"<iq id='q9' {to}>{PING}</iq>")
        assert await stanza_error(client, "q9") == BAD
        for ident in ("", "id=''"):
            client.send(f"<iq type='get' {ident} {to}>{PING}</iq>")
            reply = await client.next()
            assert reply.tag == CLIENT + "iq" and reply.get("type") == "error", ET.tostring(reply)
            assert local(next(e for e in reply if local(e.tag) == "error")[0].tag) == "bad-request"
    await client.ping()
    await client.close()


async def replies_to_nothing(preset):
    """Row 31: a result or an error that answers nothing is dropped, and never answered (RFC 6120 §8.2.3, 8.3.1),
    however malformed it is."""
    cluster = PLAIN.up(preset)
    client = await session(cluster, presence=True)
    await client.ping()
    for to in ("", "to='localhost'", "to='alice@localhost'", "to='nobody@localhost'", "to='nobody@localhost/x'",
               "to='bob@localhost/x'", "to='a@b@c'", "to='elsewhere.example'"):
        client.send(f"<iq type='result' id='whatever' {to}/>")
        client.send(f"<iq type='result' id='whatever' {to}>{PING}{PING}</iq>")
        client.send(f"<iq type='error' id='whatever' {to}><error type='cancel'/></iq>")
        client.send(f"<iq type='error' id='whatever' {to}/>")
        client.send(f"<iq type='result' {to}/>")
        client.send(f"<message type='error' {to or 'to=' + repr('nobody@localhost')}/>")
        client.send(f"<presence type='error' {to or 'to=' + repr('nobody@localhost')}/>")
    assert not await client.ping()
    await client.close()


async def forged_results(preset):
    """Row 31: between users they pass, with the forger's own name on them; whoever asked can tell."""
    cluster = PLAIN.up(preset)
    bob, mallory = await session(cluster, "bob", presence=True), await session(cluster, "alice", presence=True)
    cluster.add_user("carol")
    carol = await session(cluster, "carol", manager=2, presence=True)
    for client in (bob, mallory, carol):
        await client.ping()
    bob.send(f"<iq type='get' id='asked' to='{carol.jid}'>{PING}</iq>")
    assert (await carol.next()).get("id") == "asked"
    mallory.send(f"<iq type='result' id='asked' to='{bob.jid}'/>")
    forged = await bob.next()
    assert (forged.get("id"), forged.get("from")) == ("asked", mallory.jid), ET.tostring(forged)
    mallory.send(f"<iq type='result' id='asked' to='{bob.jid}' from='{carol.jid}'/>")
    assert await stream_error(mallory) == "invalid-from"
    carol.send(f"<iq type='result' id='asked' to='{bob.jid}'/>")
    right = await bob.next()
    assert (right.get("id"), right.get("from")) == ("asked", carol.jid), ET.tostring(right)
    assert not await bob.ping()
    mallory.abort()
    await asyncio.gather(bob.close(), carol.close())


TESTS = {
    **{f"row 28: {name}": bad_bind(iq, expected) for name, (iq, expected) in BINDS.items()},
    "row 28: good resources": good_resources,
    "row 28: too many resources": too_many_resources,
    "row 28: conflict": conflict,
    "row 28: conflict refused": conflict_refused,
    "row 29: foreign from": foreign_from,
    "row 29: from is written by the server": from_is_written_by_the_server,
    "row 30: malformed addresses": bad_addresses,
    "row 30: one address": one_address,
    "row 30: confusable names": confusable_names,
    "row 31: bad iqs": bad_iqs,
    "row 31: replies to nothing": replies_to_nothing,
    "row 31: forged results": forged_results,
}
