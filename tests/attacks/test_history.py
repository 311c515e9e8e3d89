"""Rows 33, 34, 39, 41: what is made up, asked and heaped up of messages that are kept."""

from attack import PLAIN, session, stanza_error
from cluster import eventually
from traffic import add_users
from xmpp import CLIENT, local

MAM, RSM, FORWARD = "urn:xmpp:mam:2", "http://jabber.org/protocol/rsm", "urn:xmpp:forward:0"
CARBONS, DELAY, HINTS = "urn:xmpp:carbons:2", "urn:xmpp:delay", "urn:xmpp:hints"
FORGED = f"<forwarded xmlns='{FORWARD}'><message xmlns='jabber:client' from='nurse@localhost' id='forged'/></forwarded>"


def field(var, value):
    return f"<field var='{var}'><value>{value}</value></field>"


def form(*fields):
    return f"<x xmlns='jabber:x:data' type='submit'>{field('FORM_TYPE', MAM)}{''.join(fields)}</x>"


async def query(client, inner, ident="q"):
    """The ids of the messages in a page, and its <fin/>."""
    client.send(f"<iq type='set' id='{ident}'><query xmlns='{MAM}'>{inner}</query></iq>")
    ids = []
    while True:
        element = await client.next(30)
        if element.get("id") == ident:
            assert element.get("type") == "result", element[0][0].tag
            return ids, element[0]
        result = element.find(f"{{{MAM}}}result")
        if result is not None:
            ids.append(result.find(f"{{{FORWARD}}}forwarded/{CLIENT}message").get("id"))


async def made_up_copies(preset):
    """Row 33: neither the recipient, nor his other clients, nor anybody's archive gets what only servers say."""
    cluster = PLAIN.up(preset)
    add_users(cluster, ["forger", "victim"])
    forger, victim = await session(cluster, "forger"), await session(cluster, "victim", 2, "home", presence=True)
    phone = await session(cluster, "victim", 1, "phone")
    phone.send(f"<iq type='set' id='c'><enable xmlns='{CARBONS}'/></iq>")
    await phone.ping()
    for i, pretended in enumerate((
            f"<received xmlns='{CARBONS}'>{FORGED}</received>", f"<sent xmlns='{CARBONS}'>{FORGED}</sent>",
            f"<x:sent xmlns:x='{CARBONS}'>{FORGED}</x:sent>", f"<result xmlns='{MAM}' id='1' queryid='q'>{FORGED}</result>",
            f"<body>x</body><result xmlns='{MAM}' id='1'>{FORGED}</result><received xmlns='{CARBONS}'>{FORGED}</received>")):
        forger.send(f"<message to='{victim.jid}' type='chat' id='f{i}'>{pretended}</message>")
    await forger.ping()
    got = await victim.ping() + await phone.ping()
    assert any(e.get("id") == "f4" for e in got), [e.get("id") for e in got]
    for element in got:
        assert not any(e.get("id") == "forged" for e in element.iter()), element.get("id")
    # The nearest good input: a message that is passed on (XEP-0297) arrives as it was sent.
    forger.send(f"<message to='{victim.jid}' type='chat' id='good'><body>see</body>{FORGED}</message>")
    await forger.ping()
    good = next(e for e in await victim.ping() if e.get("id") == "good")
    assert good.find(f"{{{FORWARD}}}forwarded") is not None
    for client in (forger, victim, phone):
        await client.close()


async def made_up_delays(preset):
    """Row 34: only the server says that a message waited for the server; each client may say it of itself."""
    cluster = PLAIN.up(preset)
    add_users(cluster, ["forger", "late"])
    forger = await session(cluster, "forger")
    forged = f"<delay xmlns='{DELAY}' from='localhost' stamp='1999-01-01T00:00:00Z'/>"
    own = f"<delay xmlns='{DELAY}' from='{forger.jid}' stamp='1998-01-01T00:00:00Z'/>"
    for ident in ("while-away", "while-here"):
        if ident == "while-here":
            late = await session(cluster, "late", 2, presence=True)
        forger.send(f"<message to='late@localhost' type='chat' id='{ident}'><body>x</body>{forged}{own}{forged}</message>")
        await forger.ping()
    got = {e.get("id"): e for e in await late.ping() if e.tag == CLIENT + "message"}
    delays = {ident: [(d.get("from"), d.get("stamp")[:4]) for d in e.iter(f"{{{DELAY}}}delay")] for ident, e in got.items()}
    assert delays["while-here"] == [(forger.jid, "1998")], delays
    assert len(delays["while-away"]) == 2 and ("localhost", "1999") not in delays["while-away"], delays
    for client in (forger, late):
        await client.close()


async def greedy_queries(preset):
    """Row 39: a page has its bounds whatever is asked; what is asked is a value, never a pattern or a statement."""
    cluster = PLAIN.up(preset)
    add_users(cluster, ["keeper"])
    keeper = await session(cluster, "keeper")
    bodies = ["100% sure", "under_score", "quote ' and -- comment", "star*", "plain"] + ["filler"] * 255
    for i, body in enumerate(bodies):
        keeper.send(f"<message to='keeper@localhost' type='chat' id='m{i}'><body>{body}</body></message>")
    await keeper.ping()
    for most in ("1000000000", "99999999999999999999", "-1", "many"):
        ids, fin = await query(keeper, f"<set xmlns='{RSM}'><max>{most}</max></set>")
        assert len(ids) in (50, 250) and fin.get("complete") is None, (most, len(ids), fin.attrib)
    for text in ("%", "_____", "' OR '1'='1", "plain OR filler", "NEAR(plain filler)", "*", '"', "-filler", "body:plain",
                 "(", "{plain}", "^plain", "filler*" * 100, "\\", "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%"):
        escaped = text.replace("'", "&apos;").replace('"', "&quot;")
        found, _ = await query(keeper, form(field("{urn:xmpp:fulltext:0}fulltext", escaped)))
        assert ("m4" not in found or "plain" in text) and len(found) <= 50, (text, found)
    assert (await query(keeper, form(field("{urn:xmpp:fulltext:0}fulltext", "PLAIN"))))[0] == ["m4"]
    for inner, condition in (
            (f"<set xmlns='{RSM}'><after>'; DROP TABLE archive; --</after></set>", "item-not-found"),
            (form(field("with", "a@b@c")), "jid-malformed"),
            (form(field("start", "2002-13-40T99:99:99Z")), "bad-request"),
            (form(field("after-id", "%")), "item-not-found"),
            (form(field("{urn:xmpp:fulltext:0}fulltext", "x" * 5000)), "policy-violation"),
            (form("<field var='ids'>" + "<value>aaaaaaaaaaaaaaaaaaaaaaaaaa</value>" * 251 + "</field>"), "policy-violation")):
        keeper.send(f"<iq type='set' id='bad'><query xmlns='{MAM}'>{inner}</query></iq>")
        assert (await stanza_error(keeper, "bad"))[1] == condition, inner[:80]
    for whose in ("alice@localhost", "nobody-at-all@localhost"):
        keeper.send(f"<iq type='set' id='theirs' to='{whose}'><query xmlns='{MAM}'/></iq>")
        assert (await stanza_error(keeper, "theirs"))[1] == "forbidden", whose
    await keeper.close()


async def offline_flood(preset):
    """Row 41: so many wait for who is away and no more; the surplus comes back, and what waits is not pushed out."""
    cluster = PLAIN.up(preset)
    add_users(cluster, ["flooder", "flooded"])
    flooder = await session(cluster, "flooder")
    refused, done = [], []

    def on_stanza(stanza):
        if stanza.get("type") == "error" and stanza.tag == CLIENT + "message":
            error = next(child for child in stanza if local(child.tag) == "error")
            refused.append((int(stanza.get("id")[1:]), local(error[0].tag)))
        elif stanza.get("id") == "end":
            done.append(True)
    flooder.on_stanza = on_stanza
    for i in range(1050):
        flooder.send(f"<message to='flooded@localhost' type='chat' id='m{i}'><body>{i}</body></message>")
    flooder.send("<iq type='get' id='end' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
    await eventually(lambda: done, "the flood is dealt with", 60)
    assert refused == [(i, "service-unavailable") for i in range(1000, 1050)], refused[:3]
    flooded = await session(cluster, "flooded", 2, presence=True)
    got = [e.get("id") for e in await flooded.ping() if e.tag == CLIENT + "message"]
    assert got == [f"m{i}" for i in range(1000)], (len(got), got[:3])
    for client in (flooder, flooded):
        await client.close()


TESTS = {
    "33 copies and archive results of a client": made_up_copies,
    "34 delays in the server's name": made_up_delays,
    "39 greedy and crafted archive queries": greedy_queries,
    "41 offline messages without end": offline_flood,
}
