"""attacks.md rows 1–16: what the framer refuses, on an authenticated stream and before."""

from attack import Field, alive, fresh, session, stanza_error, stream_error
from xmpp import local

FIELD = Field()

BILLION = ("<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;&lol;'>]>")
MESSAGE = "<message to='bob@localhost' id='x'><body>{}</body></message>"

# (row, name, bytes, stream error)
AFTER_LOGIN = [
    (1, "DOCTYPE between stanzas", BILLION, "restricted-xml"),
    (2, "comment between stanzas", "<!-- hello -->", "restricted-xml"),
    (2, "comment inside a stanza", MESSAGE.format("<!-- hello -->"), "restricted-xml"),
    (2, "processing instruction", "<?php evil ?>", "restricted-xml"),
    (2, "processing instruction inside", MESSAGE.format("<?php evil ?>"), "restricted-xml"),
    (3, "unknown entity", MESSAGE.format("&foo;"), "restricted-xml"),
    (3, "entity in the wrong case", MESSAGE.format("&LT;"), "restricted-xml"),
    (4, "bare ampersand", MESSAGE.format("a & b"), "not-well-formed"),
    (4, "reference without semicolon", MESSAGE.format("&lt "), "not-well-formed"),
    (4, "< in an attribute", "<message to='a<b'/>", "not-well-formed"),
    (4, "]]> in text", MESSAGE.format("]]>"), "not-well-formed"),
    (4, "no space between attributes", "<message to='a@b'id='x'/>", "not-well-formed"),
    (5, "mismatched tags", "<message><body></message></body>", "not-well-formed"),
    (5, "end tag with attributes", "<message></message id='x'>", "not-well-formed"),
    (6, "duplicate attribute", "<message id='a' id='b'/>", "not-well-formed"),
    (6, "duplicate by two prefixes",
     "<message><x xmlns:a='u:x' xmlns:b='u:x' a:y='1' b:y='2'/></message>", "not-well-formed"),
    (7, "raw NUL", b"<message><body>a\0b</body></message>", "not-well-formed"),
    (7, "control character", b"<message><body>a\x01b</body></message>", "not-well-formed"),
    (7, "U+FFFE", "<message><body>\ufffe</body></message>", "not-well-formed"),
    (7, "reference to NUL", MESSAGE.format("&#0;"), "not-well-formed"),
    (7, "empty reference", MESSAGE.format("&#;"), "not-well-formed"),
    (7, "reference beyond Unicode", MESSAGE.format("&#x110000;"), "not-well-formed"),
    (7, "reference to a surrogate", MESSAGE.format("&#xD800;"), "not-well-formed"),
    (7, "overflowing reference", MESSAGE.format("&#99999999999999999999;"), "not-well-formed"),
    (8, "invalid UTF-8", b"<message><body>\xff\xfe</body></message>", "not-well-formed"),
    (8, "overlong UTF-8", b"<message><body>\xc0\xaf</body></message>", "not-well-formed"),
    (8, "surrogate in UTF-8", b"<message><body>\xed\xa0\x80</body></message>", "not-well-formed"),
    (8, "truncated UTF-8", b"<message><body>\xe2\x82</body></message>", "not-well-formed"),
    (10, "unbound prefix", "<message><a:b/></message>", "not-well-formed"),
    (10, "rebinding xml", "<message xmlns:xml='u:x'/>", "not-well-formed"),
    (10, "rebinding xmlns", "<message xmlns:xmlns='u:x'/>", "not-well-formed"),
    (10, "undeclaring a prefix", "<message><x xmlns:a=''/></message>", "not-well-formed"),
    (12, "message in another namespace", "<message xmlns='other'/>", "unsupported-stanza-type"),
    (13, "unknown first-level element", "<hello xmlns='u:x'/>", "unsupported-stanza-type"),
    (14, "text between stanzas", "hello", "bad-format"),
    (15, "stanza over the limit", MESSAGE.format("x" * 300000), "policy-violation"),
    (15, "attribute over the limit", f"<message id='{'x' * 300000}'/>", "policy-violation"),
    (15, "name over the limit", f"<{'x' * 300000}/>", "policy-violation"),
    (15, "CDATA over the limit", MESSAGE.format(f"<![CDATA[{'x' * 300000}]]>"), "policy-violation"),
    (15, "start tag that never ends", "<message " + "".join(f"a{i}='xxxxxxxxxxxxxxxxxxxx' " for i in range(12000)),
     "policy-violation"),
    (16, "depth", "<message>" + "<a>" * 70, "policy-violation"),
    (16, "attributes", "<message " + " ".join(f"a{i}=''" for i in range(70)) + "/>", "policy-violation"),
    (16, "elements", "<message>" + "<a/>" * 5000 + "</message>", "policy-violation"),
    (16, "long name", f"<message><{'n' * 300}/></message>", "policy-violation"),
    (16, "declarations", "<message " + " ".join(f"xmlns:a{i}='u:{i}'" for i in range(40)) + "/>",
     "policy-violation"),
]

HEADER = ("<stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
          "xmlns:stream='http://etherx.jabber.org/streams'>")

# Instead of a stream header.
HEADERS = [
    (1, "DOCTYPE before the header", BILLION + HEADER, "restricted-xml"),
    (2, "comment before the header", "<!-- x -->" + HEADER, "restricted-xml"),
    (9, "other encoding", "<?xml version='1.0' encoding='ISO-8859-1'?>" + HEADER, "unsupported-encoding"),
    (9, "XML 1.1", "<?xml version='1.1'?>" + HEADER, "not-well-formed"),
    (9, "UTF-16 mark", HEADER.encode("utf-16"), "unsupported-encoding"),
    (9, "UTF-32 mark", HEADER.encode("utf-32"), "unsupported-encoding"),
    (11, "wrong prefix", "<s:stream to='localhost' version='1.0' xmlns='jabber:client' "
     "xmlns:s='http://etherx.jabber.org/streams'>", "bad-namespace-prefix"),
    (11, "wrong stream namespace", "<stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
     "xmlns:stream='u:x'>", "invalid-namespace"),
    (11, "wrong default namespace", "<stream:stream to='localhost' version='1.0' xmlns='u:x' "
     "xmlns:stream='http://etherx.jabber.org/streams'>", "invalid-namespace"),
    (15, "header over the limit", HEADER.replace("to=", f"x='{'y' * 20000}' to="), "policy-violation"),
    (46, "host that is not served", HEADER.replace("'localhost'", "'elsewhere.example'"), "host-unknown"),
    (9, "no version", HEADER.replace(" version='1.0'", ""), "unsupported-version"),
    (9, "version 0.9", HEADER.replace("'1.0'", "'0.9'"), "unsupported-version"),
]


def after_login(data, expected):
    async def test(preset):
        cluster = FIELD.up(preset)
        client = await session(cluster)
        client.send(data)
        if isinstance(data, bytes) and b"truncated" in data:
            client.send(b"</message>")
        got = await stream_error(client)
        client.abort()
        assert got == expected, f"{got!r}, not {expected!r}"
        await alive(cluster)
    return test


def header(data, expected):
    async def test(preset):
        cluster = FIELD.up(preset)
        client = await fresh(cluster, header=False)
        client.send(data)
        got = await stream_error(client)
        client.abort()
        assert got == expected, f"{got!r}, not {expected!r}"
    return test


def byte_by_byte(data, expected):
    """The same answer however the bytes were cut."""
    async def test(preset):
        cluster = FIELD.up(preset)
        client = await session(cluster)
        raw = data.encode() if isinstance(data, str) else data
        for i in range(len(raw)):
            client.send(raw[i:i + 1])
            await client.writer.drain()
        got = await stream_error(client)
        client.abort()
        assert got == expected, f"{got!r}, not {expected!r}"
    return test


async def higher_version(preset):
    """RFC 6120 §4.7.5: a higher version is answered with ours, and the client decides."""
    cluster = FIELD.up(preset)
    client = await fresh(cluster, header=False)
    client.send(HEADER.replace("'1.0'", "'2.0'"))
    answer = await client.next()
    assert local(answer.tag) == "stream" and answer.get("version") == "1.0", answer.attrib
    assert local((await client.next()).tag) == "features"
    client.abort()


async def prefixed_message(preset):
    cluster = FIELD.up(preset)
    alice, bob = await session(cluster), await session(cluster, "bob", presence=True)
    await bob.ping()
    alice.send(f"<x:message xmlns:x='jabber:client' to='{bob.jid}'><x:body>hi</x:body></x:message>")
    element = await bob.next()
    assert element.find("{jabber:client}body").text == "hi"
    await alice.close()
    await bob.close()


async def second_header(preset):
    cluster = FIELD.up(preset)
    client = await session(cluster)
    client.send(HEADER)
    assert await stream_error(client) in ("not-well-formed", "bad-format", "unsupported-stanza-type")
    client.abort()


async def before_authentication(preset):
    """Row 15, 16 before authentication: smaller limits."""
    cluster = FIELD.up(preset)
    for data in (f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{'A' * 12000}</auth>",
                 "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + "<a>" * 10,
                 "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + "<a/>" * 40):
        client = await fresh(cluster)
        client.send(data)
        assert await stream_error(client) == "policy-violation"
        client.abort()


async def long_tag_in_pieces(preset):
    """A stanza with a tag of many kB, cut in pieces, is reported when its last byte is there."""
    cluster = FIELD.up(preset)
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
    cluster = FIELD.up(preset)
    client = await session(cluster)
    client.send("<iq type='bogus' id='b1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert await stanza_error(client, "b1") == ("modify", "bad-request")
    await client.ping()
    await client.close()


TESTS = {f"row {row}: {name}": after_login(data, expected) for row, name, data, expected in AFTER_LOGIN}
TESTS |= {f"row {row}: {name} (header)": header(data, expected) for row, name, data, expected in HEADERS}
TESTS |= {f"row {row}: {name} (byte by byte)": byte_by_byte(data, expected)
          for row, name, data, expected in AFTER_LOGIN if row in (2, 4, 7, 8) and len(data) < 200}
TESTS |= {"row 12: prefixed message is a message": prefixed_message, "row 9: a higher version": higher_version,
          "row 13: second header": second_header,
          "row 15, 16: before authentication": before_authentication,
          "row 15: long tag in pieces": long_tag_in_pieces, "row 31: bad iq, the stream lives": stanza_error_lives_on}
