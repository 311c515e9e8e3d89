"""Rosters and subscriptions: rows 32, 35, 41, 55."""

from attack import PLAIN, session, stanza_error
from xmpp import CLIENT

ROSTER = "{jabber:iq:roster}"


async def rostered(cluster, user, manager=1):
    """Available and interested; what came so far is forgotten."""
    client = await session(cluster, user, manager, presence=True)
    await roster(client)
    return client


async def roster(client):
    """jid → subscription."""
    client.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>")
    while True:
        element = await client.next()
        if element.get("id") == "roster":
            return {item.get("jid"): item.get("subscription") for item in element.iter(ROSTER + "item")}


def item_iq(ident, item):
    return f"<iq type='set' id='{ident}'><query xmlns='jabber:iq:roster'>{item}</query></iq>"


async def clean(*clients):
    for client in clients:
        for jid in await roster(client):
            quoted = jid.replace("&", "&amp;").replace("'", "&apos;").replace("<", "&lt;")
            client.send(item_iq("clean", f"<item jid='{quoted}' subscription='remove'/>"))
        await client.ping()
        await client.close()


async def forged_pushes(preset):
    """Row 35: a push of somebody else's arrives as his own iq, and changes nothing here."""
    cluster = PLAIN.up(preset)
    alice, bob = await rostered(cluster, "alice"), await rostered(cluster, "bob", 2)
    item = "<item jid='mallory@localhost' subscription='both'/>"
    bob.send(f"<iq type='set' id='f1' to='{alice.jid}'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
    forged = await alice.next()
    assert forged.get("from") == bob.jid and forged.get("id") == "f1", forged.attrib
    for to in ("alice@localhost", "nobody@localhost"):
        bob.send(f"<iq type='set' id='f2' to='{to}'><query xmlns='jabber:iq:roster'>{item}</query></iq>")
        assert (await stanza_error(bob, "f2"))[1] == "forbidden"
        bob.send(f"<iq type='get' id='f3' to='{to}'><query xmlns='jabber:iq:roster'/></iq>")
        assert (await stanza_error(bob, "f3"))[1] == "forbidden"
    assert not await alice.ping() and "mallory@localhost" not in await roster(alice)
    await clean(alice, bob)


async def forged_answers(preset):
    """RFC 6121 appendix A.3.3, A.3.4: an answer to what nobody asked changes nothing and is not shown."""
    cluster = PLAIN.up(preset)
    alice, bob = await rostered(cluster, "alice"), await rostered(cluster, "bob", 2)
    for kind in ("subscribed", "unsubscribed", "unsubscribe"):
        bob.send(f"<presence to='alice@localhost' type='{kind}'/>")
        await bob.ping()
        assert not await alice.ping(), kind
    assert not await roster(alice)
    # Asking is not being granted.
    bob.send("<presence to='alice@localhost' type='subscribe'/>")
    await bob.ping()
    await alice.ping()
    bob.send("<presence to='alice@localhost' type='probe' id='p'/>")
    told = [e for e in await bob.ping() if e.tag == CLIENT + "presence"]
    assert [(e.get("from"), e.get("type")) for e in told] == [("alice@localhost", "unsubscribed")], told
    alice.send("<presence to='bob@localhost' type='unsubscribed'/>")
    await alice.ping()
    await clean(alice, bob)


async def unknown_as_known(preset):
    """Who asks for accounts learns nothing: one that nobody has answers as one that is away."""
    cluster = PLAIN.up(preset)
    alice = await rostered(cluster, "alice")
    seen = []
    for to in ("bob@localhost", "nobody@localhost"):
        heard = []
        for kind in ("subscribe", "probe", "unsubscribe", "subscribed", "unsubscribed"):
            alice.send(f"<presence to='{to}' type='{kind}' id='{kind}'/>")
            heard += [(e.tag, e.get("type"), e.get("id") if e.get("type") != "set" else "",
                       [{k: v for k, v in i.attrib.items() if k != "jid"} for i in e.iter(ROSTER + "item")])
                      for e in await alice.ping()]
        seen.append(heard)
    assert seen[0] == seen[1], seen
    await clean(alice)


async def bombs(preset):
    """Row 41: what is kept for others is bounded, and a flood is one request."""
    cluster = PLAIN.up(preset)
    alice, bob = await rostered(cluster, "alice"), await rostered(cluster, "bob", 2)
    alice.send(f"<presence to='bob@localhost' type='subscribe' id='big'><status>{'x' * 5000}</status></presence>")
    assert (await stanza_error(alice, "big"))[1] == "policy-violation"
    for _ in range(300):
        alice.send("<presence to='bob@localhost' type='subscribe'/>")
    await alice.ping()
    asked = [e for e in await bob.ping() if e.get("type") == "subscribe"]
    assert len(asked) == 1, len(asked)
    for ident, item, condition in (
            ("g1", "<item jid='c@localhost'>" + "".join(f"<group>{i}</group>" for i in range(101)) + "</item>",
             "not-acceptable"),
            ("g2", f"<item jid='c@localhost' name='{'n' * 1024}'/>", "not-acceptable"),
            ("g3", f"<item jid='c@localhost'><group>{'g' * 1024}</group></item>", "not-acceptable"),
            ("g4", f"<item jid='{'l' * 1024}@localhost'/>", "jid-malformed"),
            ("g5", "<item jid='a@b@localhost'/>", "jid-malformed"),
            ("g6", "<item/>", "bad-request"), ("g7", "<group/>", "bad-request"), ("g8", "", "bad-request")):
        alice.send(item_iq(ident, item))
        assert (await stanza_error(alice, ident))[1] == condition, ident
    alice.send(item_iq("good", f"<item jid='c@localhost' name='{'n' * 1023}'><group>{'g' * 1023}</group></item>"))
    await alice.ping()
    assert (await roster(alice))["c@localhost"] == "none"
    bob.send("<presence to='alice@localhost' type='unsubscribed'/>")
    await bob.ping()
    await clean(alice, bob)


async def errors_are_not_answered(preset):
    """Row 32: neither an error of a subscription nor one of a probe starts anything."""
    cluster = PLAIN.up(preset)
    alice, bob = await rostered(cluster, "alice"), await rostered(cluster, "bob", 2)
    for to in ("bob@localhost", "nobody@localhost", "localhost", "elsewhere.example"):
        alice.send(f"<presence to='{to}' type='error'><error type='cancel'/></presence>")
    assert not await alice.ping() and not await bob.ping()
    await clean(alice, bob)


async def metacharacters(preset):
    """Row 55: names of contacts, groups and items are data everywhere."""
    cluster = PLAIN.up(preset)
    alice = await rostered(cluster, "alice")
    contacts = ["{x}*%25_;--@localhost", "a%_?*[b]@localhost", "localhost", "c@localhost/{h}:ver\\0"]
    text = "'; DROP TABLE roster_item; -- \\0 %s {x:}:* \u202e \U0001f407"
    for jid in contacts:
        alice.send(item_iq("m", f'<item jid="{jid}" name="{text}"><group>{text}</group></item>'))
    await alice.ping()
    assert set(await roster(alice)) == set(contacts), await roster(alice)
    alice.send("<iq type='get' id='again'><query xmlns='jabber:iq:roster'/></iq>")
    element = await alice.next()
    assert all(i.get("name") == text and i.find(ROSTER + "group").text == text for i in element.iter(ROSTER + "item"))
    await clean(alice)


TESTS = {
    "35 roster pushes of somebody else": forged_pushes,
    "35 answers that nobody asked for": forged_answers,
    "42 accounts that nobody has are as silent as others": unknown_as_known,
    "41 subscription bombs": bombs,
    "32 errors are not answered": errors_are_not_answered,
    "55 metacharacters in rosters": metacharacters,
}
