"""Rows 1–16: what the framer refuses, on an authenticated stream and before."""

import xml.etree.ElementTree as ET

from attack import LIMITED, PLAIN, address, alive, assert_flat, authenticated, fresh, pids, rss_kib, \
    session, stanza_error, stream_end, stream_error
from xmpp import CLIENT, Client, StreamClosed, local

BILLION = ("<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;&lol;'>]>")
XXE = "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
MESSAGE = "<message to='bob@localhost' id='x'><body>{}</body></message>"
HEADER = ("<stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
          "xmlns:stream='http://etherx.jabber.org/streams'>")
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
KIB256 = 262144

# (row, name, bytes, stream error)
AFTER_LOGIN = [
    (1, "DOCTYPE between stanzas", BILLION, "restricted-xml"),
    (1, "DOCTYPE without subset", "<!DOCTYPE x>", "restricted-xml"),
    (1, "external entity", XXE, "restricted-xml"),
    (1, "DOCTYPE inside a stanza", MESSAGE.format("<!DOCTYPE x>"), "restricted-xml"),
    (1, "entity declaration between stanzas", "<!ENTITY e 'x'>", "restricted-xml"),
    (1, "entity declaration inside a stanza", MESSAGE.format("<!ENTITY e 'x'>"), "restricted-xml"),
    (1, "other declarations", MESSAGE.format("<!ATTLIST a b CDATA 'c'>"), "restricted-xml"),
    (2, "comment between stanzas", "<!-- hello -->", "restricted-xml"),
    (2, "comment inside a stanza", MESSAGE.format("<!-- hello -->"), "restricted-xml"),
    (2, "processing instruction", "<?php evil ?>", "restricted-xml"),
    (2, "processing instruction inside", MESSAGE.format("<?php evil ?>"), "restricted-xml"),
    # An XML declaration anywhere but at the start is no processing instruction and no XML (XML 1.0 §2.8).
    (2, "XML declaration between stanzas", "<?xml version='1.0'?>", "not-well-formed"),
    (3, "unknown entity", MESSAGE.format("&foo;"), "restricted-xml"),
    (3, "entity of HTML", MESSAGE.format("&nbsp;"), "restricted-xml"),
    (3, "entity in the wrong case", MESSAGE.format("&LT;"), "restricted-xml"),
    (3, "entity in an attribute", "<message id='&foo;'/>", "restricted-xml"),
    (4, "bare ampersand", MESSAGE.format("a & b"), "not-well-formed"),
    (4, "reference without semicolon", MESSAGE.format("&lt "), "not-well-formed"),
    (4, "< in an attribute", "<message to='a<b'/>", "not-well-formed"),
    (4, "]]> in text", MESSAGE.format("]]>"), "not-well-formed"),
    (4, "no space between attributes", "<message to='a@b'id='x'/>", "not-well-formed"),
    (5, "mismatched tags", "<message><body></message></body>", "not-well-formed"),
    (5, "crossing tags", "<message><a><b></a></b></message>", "not-well-formed"),
    (5, "end tag with attributes", "<message></message id='x'>", "not-well-formed"),
    (6, "duplicate attribute", "<message id='a' id='b'/>", "not-well-formed"),
    (6, "duplicate by two prefixes",
     "<message><x xmlns:a='u:x' xmlns:b='u:x' a:y='1' b:y='2'/></message>", "not-well-formed"),
    (7, "raw NUL", b"<message><body>a\0b</body></message>", "not-well-formed"),
    (7, "control character", b"<message><body>a\x01b</body></message>", "not-well-formed"),
    (7, "vertical tab in an attribute", b"<message id='a\x0bb'/>", "not-well-formed"),
    (7, "U+FFFE", "<message><body>\ufffe</body></message>", "not-well-formed"),
    (7, "U+FFFF", "<message><body>\uffff</body></message>", "not-well-formed"),
    (7, "reference to NUL", MESSAGE.format("&#0;"), "not-well-formed"),
    (7, "reference to a control character", MESSAGE.format("&#x1F;"), "not-well-formed"),
    (7, "reference to U+FFFF", MESSAGE.format("&#xFFFF;"), "not-well-formed"),
    (7, "empty reference", MESSAGE.format("&#;"), "not-well-formed"),
    (7, "empty hexadecimal reference", MESSAGE.format("&#x;"), "not-well-formed"),
    (7, "reference beyond Unicode", MESSAGE.format("&#x110000;"), "not-well-formed"),
    (7, "reference to a surrogate", MESSAGE.format("&#xD800;"), "not-well-formed"),
    (7, "overflowing reference", MESSAGE.format("&#99999999999999999999;"), "not-well-formed"),
    (7, "reference that overflows to a letter", MESSAGE.format("&#x100000041;"), "not-well-formed"),
    (8, "invalid UTF-8", b"<message><body>\xff\xfe</body></message>", "not-well-formed"),
    (8, "invalid UTF-8 in a name", b"<message><b\xffdy/></message>", "not-well-formed"),
    (8, "continuation without a start", b"<message><body>\x80</body></message>", "not-well-formed"),
    (8, "overlong UTF-8", b"<message><body>\xc0\xaf</body></message>", "not-well-formed"),
    (8, "overlong UTF-8 of three bytes", b"<message><body>\xe0\x80\xaf</body></message>", "not-well-formed"),
    (8, "overlong NUL in an attribute", b"<message id='\xc0\x80'/>", "not-well-formed"),
    (8, "beyond Unicode in UTF-8", b"<message><body>\xf4\x90\x80\x80</body></message>", "not-well-formed"),
    (8, "surrogate in UTF-8", b"<message><body>\xed\xa0\x80</body></message>", "not-well-formed"),
    (8, "truncated UTF-8", b"<message><body>\xe2\x82</body></message>", "not-well-formed"),
    (10, "unbound prefix", "<message><a:b/></message>", "not-well-formed"),
    (10, "unbound prefix of an attribute", "<message a:b='c'/>", "not-well-formed"),
    (10, "rebinding xml", "<message xmlns:xml='u:x'/>", "not-well-formed"),
    (10, "rebinding xmlns", "<message xmlns:xmlns='u:x'/>", "not-well-formed"),
    (10, "another prefix for xml", "<message><x xmlns:a='http://www.w3.org/XML/1998/namespace'/></message>",
     "not-well-formed"),
    (10, "xmlns as default namespace", "<message><x xmlns='http://www.w3.org/2000/xmlns/'/></message>",
     "not-well-formed"),
    (10, "undeclaring a prefix", "<message><x xmlns:a=''/></message>", "not-well-formed"),
    (12, "message in another namespace", "<message xmlns='other'/>", "unsupported-stanza-type"),
    (12, "prefixed message in another namespace", "<x:message xmlns:x='jabber:server'/>", "unsupported-stanza-type"),
    (13, "unknown first-level element", "<hello xmlns='u:x'/>", "unsupported-stanza-type"),
    (13, "unknown element of ours", "<hello/>", "unsupported-stanza-type"),
    # RFC 6120 §4.9.3.1: it is well-formed, and cannot be processed.
    (13, "nested stream", HEADER, "bad-format"),
    (13, "second header", "<?xml version='1.0'?>" + HEADER, "not-well-formed"),
    (14, "text between stanzas", "hello", "bad-format"),
    (14, "CDATA between stanzas", "<![CDATA[hello]]>", "bad-format"),
    (14, "reference between stanzas", "&#65;", "bad-format"),
    (16, "depth", "<message>" + "<a>" * 64, "policy-violation"),
    (16, "attributes", "<message " + " ".join(f"a{i}=''" for i in range(65)) + "/>", "policy-violation"),
    (16, "elements", "<message>" + "<a/>" * 4096 + "</message>", "policy-violation"),
    (16, "long name", f"<message><{'n' * 257}/></message>", "policy-violation"),
    (16, "long name of an attribute", f"<message {'n' * 257}=''/>", "policy-violation"),
    (16, "declarations", "<message " + " ".join(f"xmlns:a{i}='u:{i}'" for i in range(33)) + "/>",
     "policy-violation"),
]

# Row 15: `size` bytes that are not at an end yet. What exceeds a limit is refused while it is read, so
# nothing here is ever closed.
TOO_BIG = {
    "text": lambda size: (MESSAGE[:MESSAGE.index("{")] + "x" * size)[:size],
    "attribute": lambda size: ("<message id='" + "x" * size)[:size],
    "name": lambda size: ("<" + "x" * size)[:size],
    "CDATA": lambda size: ("<message><body><![CDATA[" + "x" * size)[:size],
    "start tag": lambda size: ("<message " + "".join(f"a{i}='{'x' * 5000}' " for i in range(60)))[:size],
    "children": lambda size: ("<message>" + f"<a b='{'c' * 1000}'/>" * 300)[:size],
}

# Instead of a stream header.
HEADERS = [
    (1, "DOCTYPE before the header", BILLION + HEADER, "restricted-xml"),
    (1, "external entity before the header", XXE + HEADER, "restricted-xml"),
    (1, "external subset", "<!DOCTYPE x SYSTEM 'http://127.0.0.1:1/x.dtd'>" + HEADER, "restricted-xml"),
    (1, "DOCTYPE behind the declaration", "<?xml version='1.0'?>" + BILLION + HEADER, "restricted-xml"),
    (2, "comment before the header", "<!-- x -->" + HEADER, "restricted-xml"),
    (2, "processing instruction before the header", "<?xml-stylesheet href='x'?>" + HEADER, "restricted-xml"),
    (3, "entity in the header", HEADER.replace("localhost", "&host;"), "restricted-xml"),
    (6, "duplicate attribute", HEADER.replace("to=", "to='localhost' to="), "not-well-formed"),
    (9, "other encoding", "<?xml version='1.0' encoding='ISO-8859-1'?>" + HEADER, "unsupported-encoding"),
    (9, "unheard-of encoding", "<?xml version='1.0' encoding='x-none'?>" + HEADER, "unsupported-encoding"),
    (9, "UTF-16 in name only", "<?xml version='1.0' encoding='UTF-16'?>" + HEADER, "unsupported-encoding"),
    (9, "XML 1.1", "<?xml version='1.1'?>" + HEADER, "not-well-formed"),
    (9, "UTF-16 mark", HEADER.encode("utf-16"), "unsupported-encoding"),
    (9, "UTF-16 mark, big end first", b"\xfe\xff" + HEADER.encode("utf-16-be"), "unsupported-encoding"),
    (9, "UTF-32 mark", HEADER.encode("utf-32"), "unsupported-encoding"),
    (9, "UTF-32 mark, big end first", b"\0\0\xfe\xff" + HEADER.encode("utf-32-be"), "unsupported-encoding"),
    (9, "UTF-16 without a mark", HEADER.encode("utf-16-le"), "unsupported-encoding"),
    # RFC 6120 §4.7.5: without a version it is 0.9, which has no features, and so no way in.
    (9, "no version", HEADER.replace(" version='1.0'", ""), "unsupported-version"),
    (9, "version 0.9", HEADER.replace("'1.0'", "'0.9'"), "unsupported-version"),
    (9, "version that is none", HEADER.replace("'1.0'", "'one'"), "unsupported-version"),
    (11, "wrong prefix", "<s:stream to='localhost' version='1.0' xmlns='jabber:client' "
     "xmlns:s='http://etherx.jabber.org/streams'>", "bad-namespace-prefix"),
    (11, "no prefix", "<stream to='localhost' version='1.0' xmlns='http://etherx.jabber.org/streams'>",
     "bad-namespace-prefix"),
    (11, "wrong stream namespace", "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
     "xmlns:stream='u:x'>", "invalid-namespace"),
    (11, "wrong default namespace", "<stream:stream to='localhost' version='1.0' xmlns='u:x' "
     "xmlns:stream='http://etherx.jabber.org/streams'>", "invalid-namespace"),
    (11, "a server's namespace", HEADER.replace("jabber:client", "jabber:server"), "invalid-namespace"),
    (13, "a stanza for a header", "<message/>", "bad-namespace-prefix"),
    (13, "another element for a header", HEADER.replace("stream:stream", "stream:features"), "bad-format"),
    (16, "attributes of the header", HEADER.replace("to=", " ".join(f"a{i}=''" for i in range(65)) + " to="),
     "policy-violation"),
    (16, "declarations of the header",
     HEADER.replace("to=", " ".join(f"xmlns:a{i}='u:{i}'" for i in range(33)) + " to="), "policy-violation"),
    (46, "host that is not served", HEADER.replace("'localhost'", "'elsewhere.example'"), "host-unknown"),
]

AUTH = f"<auth xmlns='{SASL}' mechanism='PLAIN'"
# On a stream with its header and features.
BEFORE_LOGIN = [
    (1, "DOCTYPE", BILLION, "restricted-xml"),
    (2, "comment", "<!-- x -->", "restricted-xml"),
    (3, "unknown entity", f"{AUTH}>&foo;</auth>", "restricted-xml"),
    (7, "reference to NUL", f"{AUTH}>&#0;</auth>", "not-well-formed"),
    (8, "invalid UTF-8", f"{AUTH}>".encode() + b"\xff</auth>", "not-well-formed"),
    (13, "unknown first-level element", "<hello xmlns='u:x'/>", "unsupported-stanza-type"),
    (14, "text between elements", "hello", "bad-format"),
    (16, "depth", f"{AUTH}>" + "<a>" * 8, "policy-violation"),
    (16, "elements", f"{AUTH}>" + "<a/>" * 32 + "</auth>", "policy-violation"),
    (16, "attributes", f"{AUTH} " + " ".join(f"a{i}=''" for i in range(64)) + "/>", "policy-violation"),
    (16, "long name", f"<{'n' * 257} xmlns='{SASL}'/>", "policy-violation"),
]


async def plain_stream(cluster):
    """As far as TCP: whoever never speaks TLS gets the same answers."""
    client = Client(address(cluster, 1, "c2s"), cluster.domain, cluster.ca)
    await client.connect(None, header=False)
    return client


def refusal(begin, data, expected, pieces=False, check_alive=False):
    """`data` on the stream that `begin` makes ends it with `expected`, whole or cut into single bytes."""
    async def test(preset):
        cluster = PLAIN.up(preset)
        client = await begin(cluster)
        raw = data.encode() if isinstance(data, str) else data
        for i in range(0, len(raw), 1 if pieces else max(len(raw), 1)):
            client.send(raw[i:i + 1] if pieces else raw)
            await client.writer.drain()
        got = await stream_error(client)
        client.abort()
        assert got == expected, f"{got!r}, not {expected!r}"
        if check_alive:
            await alive(cluster)
    return test


def no_header(cluster):
    return fresh(cluster, header=False)


def too_big(begin, make, limit):
    """Exactly the limit says nothing yet; one byte more does, though no tag and no text came to an end."""
    async def test(preset):
        cluster = PLAIN.up(preset)
        client = await begin(cluster)
        client.send(make(limit))
        await client.writer.drain()
        client.send(make(limit + 1)[-1:])
        error = await stream_end(client)
        client.abort()
        assert error is not None and [local(e.tag) for e in error if local(e.tag) != "text"] == \
            ["policy-violation", "stanza-too-big"], error is not None and ET.tostring(error)
    return test


async def just_fits(preset):
    """The limit that is advertised (XEP-0478) is the one that holds, to the byte."""
    cluster = PLAIN.up(preset)
    client = await authenticated(cluster)
    limits = client.features.find("{urn:xmpp:stream-limits:0}limits")
    limit = int(limits.find("{urn:xmpp:stream-limits:0}max-bytes").text)
    assert limit == KIB256 and limits.find("{urn:xmpp:stream-limits:0}idle-seconds") is None, ET.tostring(limits)
    await client.bind()
    frame = f"<message to='{client.jid}' id='fits'><body>{{}}</body></message>"
    client.send(frame.format("x" * (limit - len(frame) + 2)))
    element = await client.next()
    assert element.get("id") == "fits" and len(element.find(CLIENT + "body").text) == limit - len(frame) + 2
    client.send(frame.format("x" * (limit - len(frame) + 3)))
    assert (await stream_end(client))[-1].tag == "{urn:xmpp:errors}stanza-too-big"
    client.abort()
    client = await fresh(cluster)  # other limits hold here, and are not told
    assert client.features.find("{urn:xmpp:stream-limits:0}limits") is None
    client.abort()


async def flood_is_not_kept(preset):
    """Row 15: what is over the limit is neither read nor buffered, however much is pushed."""
    cluster = PLAIN.up(preset)
    pid = pids(cluster)["connmgr-1"]

    async def push(megabytes):
        client = await session(cluster)
        client.send("<message id='")
        try:
            for _ in range(megabytes * 16):
                client.send("x" * 65536)
                await client.writer.drain()
                if client.closed is not None:
                    break
        except ConnectionError:
            pass
        assert await stream_error(client) == "policy-violation"
        client.abort()
    await push(1)
    before = rss_kib(pid)
    for _ in range(4):
        await push(16)
    assert_flat(preset, pid, before, 4096)
    await alive(cluster)


async def at_the_limits(preset):
    """Rows 3, 7, 8 and 16: what just may be, passes whole: the rows above refuse no more than they say."""
    cluster = PLAIN.up(preset)
    client = await session(cluster, presence=True)
    await client.ping()
    big = {
        "depth": "<a xmlns='u:x'>" + "<a>" * 62 + "</a>" * 63,
        "attributes": "<a xmlns='u:x' " + " ".join(f"a{i}=''" for i in range(64)) + "/>",
        "elements": "<a xmlns='u:x'>" + "<a/>" * 4094 + "</a>",
        "name": f"<{'n' * 256} xmlns='u:x'/>",
        "declarations": "<a " + " ".join(f"xmlns:a{i}='u:{i}'" for i in range(32)) + "/>",
        "references": "<body>&lt;&gt;&amp;&quot;&apos;&#x41;&#66;&#x1F600;&#xD7FF;&#xE000;&#xFFFD;</body>",
        "characters": "<body>\t\u00e4\u20ac\U0001f600\ufffd</body>",
        "CDATA": "<body><![CDATA[<&]]]]><![CDATA[>]]></body>",
    }
    for name, payload in big.items():
        client.send(f"<message to='{client.jid}' id='{name}'>{payload}</message>")
        element = await client.next()
        assert element.get("id") == name and element.get("type") != "error", ET.tostring(element)[:500]
        expected = ET.fromstring(f"<m xmlns='jabber:client'>{payload}</m>")
        assert ET.canonicalize(ET.tostring(element[0])) == ET.canonicalize(ET.tostring(expected[0])), name
    await client.close()


async def characters_in_pieces(preset):
    """Row 8: a character that is cut between two segments is one character."""
    cluster = PLAIN.up(preset)
    client = await session(cluster)
    for byte in f"<message to='{client.jid}' id='\u20ac'><body>\u00e4\u20ac\U0001f600</body></message>".encode():
        client.send(bytes([byte]))
        await client.writer.drain()
    element = await client.next()
    assert element.get("id") == "\u20ac" and element.find(CLIENT + "body").text == "\u00e4\u20ac\U0001f600"
    await client.close()


async def higher_version(preset):
    """RFC 6120 §4.7.5: a higher version is answered with ours, and the client decides. (The table of attacks
    names `unsupported-version`; the RFC has that for versions below 1.0 only.)"""
    cluster = PLAIN.up(preset)
    for version in ("2.0", "1.1", "1.10", "11.0"):
        client = await fresh(cluster, header=False)
        client.send(HEADER.replace("'1.0'", f"'{version}'"))
        answer = await client.next()
        assert local(answer.tag) == "stream" and answer.get("version") == "1.0", answer.attrib
        assert local((await client.next()).tag) == "features"
        client.abort()


async def prefixed_message(preset):
    cluster = PLAIN.up(preset)
    alice, bob = await session(cluster), await session(cluster, "bob", presence=True)
    await bob.ping()
    alice.send(f"<x:message xmlns:x='jabber:client' to='{bob.jid}'><x:body>hi</x:body></x:message>")
    element = await bob.next()
    assert element.find("{jabber:client}body").text == "hi"
    await alice.close()
    await bob.close()


async def white_space_counts(preset):
    """Row 14: white space between stanzas is free of charge nowhere: 50,000 bytes a second are read here."""
    cluster = LIMITED.up(preset)
    client = await session(cluster)
    pauses = cluster.metric_sum("connmgr-1", "xylem_connmgr_rate_pauses_total")
    for _ in range(4):
        client.send(" \n" * 25000)
    client.send("<iq type='get' id='late' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
    try:
        await client.next(1)
        raise AssertionError("200,000 bytes were read at once")
    except TimeoutError:
        pass
    assert (await client.next(15)).get("id") == "late"
    assert cluster.metric_sum("connmgr-1", "xylem_connmgr_rate_pauses_total") > pauses
    await client.close()


async def long_tag_in_pieces(preset):
    """A stanza with a tag of many kB, cut in pieces, is reported when its last byte is there."""
    cluster = PLAIN.up(preset)
    client = await session(cluster)
    data = ("<iq type='get' id='long' to='localhost'><ping xmlns='urn:xmpp:ping' "
            + " ".join(f"a{i}='{'x' * 500}'" for i in range(60)) + "/></iq>").encode()
    for i in range(0, len(data), 997):
        client.send(data[i:i + 997])
        await client.writer.drain()
    while (await client.next()).get("id") != "long":
        pass
    await client.close()


async def stanza_error_lives_on(preset):
    cluster = PLAIN.up(preset)
    client = await session(cluster)
    client.send("<iq type='bogus' id='b1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert await stanza_error(client, "b1") == ("modify", "bad-request")
    await client.ping()
    await client.close()


async def nothing_behind_the_end(preset):
    """What follows </stream:stream>, or an error, is not read."""
    cluster = PLAIN.up(preset)
    bob = await session(cluster, "bob", presence=True)
    await bob.ping()
    for last in ("</stream:stream>", "<hello xmlns='u:x'/>"):
        client = await session(cluster)
        client.send(f"{last}<message to='{bob.jid}'><body>too late</body></message>")
        try:
            while True:
                await client.next()
        except StreamClosed:
            client.abort()
    assert not await bob.ping()
    await bob.close()


TESTS = {f"row {row}: {name}": refusal(session, data, expected, check_alive=True)
         for row, name, data, expected in AFTER_LOGIN}
TESTS |= {f"row {row}: {name} (header)": refusal(no_header, data, expected) for row, name, data, expected in HEADERS}
TESTS |= {f"row {row}: {name} (header, no TLS)": refusal(plain_stream, data, expected)
          for row, name, data, expected in HEADERS if row in (1, 9)}
TESTS |= {f"row {row}: {name} (before login)": refusal(fresh, data, expected)
          for row, name, data, expected in BEFORE_LOGIN}
TESTS |= {f"row {row}: {name} (byte by byte)": refusal(session, data, expected, pieces=True)
          for row, name, data, expected in AFTER_LOGIN if row in (1, 2, 3, 4, 7, 8, 14) and len(data) < 200}
TESTS |= {f"row {row}: {name} (header, byte by byte)": refusal(no_header, data, expected, pieces=True)
          for row, name, data, expected in HEADERS if row in (1, 9, 11) and len(data) < 1000}
TESTS |= {f"row 15: {name}": too_big(session, make, KIB256) for name, make in TOO_BIG.items()}
TESTS |= {f"row 15: {name} (before login)": too_big(fresh, make, 10000) for name, make in TOO_BIG.items()}
TESTS |= {"row 15: header": too_big(no_header, lambda size: HEADER[:-1] + " x='" + "y" * (size - len(HEADER) - 3),
                                    10000),
          "row 15: the limit is advertised (XEP-0478)": just_fits,
          "row 15: a flood is not kept": flood_is_not_kept,
          "row 15: long tag in pieces": long_tag_in_pieces,
          "row 16: at the limits": at_the_limits,
          "row 8: characters in pieces": characters_in_pieces,
          "row 9: a higher version": higher_version,
          "row 12: prefixed message is a message": prefixed_message,
          "row 13: nothing behind the end": nothing_behind_the_end,
          "row 14: white space counts": white_space_counts,
          "row 31: bad iq, the stream lives": stanza_error_lives_on}
