"""Rows 30, 41, 42: what strangers and users may fill, make and set off."""

from attack import LIMITED, PLAIN, fresh, proxied, session, stanza_error, stream_end
from xmpp import StreamClosed, local

REGISTER = "jabber:iq:register"
PUBSUB = "http://jabber.org/protocol/pubsub"


async def register(client, name, password="a-password-for-strangers"):
    """The error's condition, '' for a new account."""
    client.send(f"<iq type='set' id='register'><query xmlns='{REGISTER}'><username>{name}</username>"
                f"<password>{password}</password></query></iq>")
    while True:
        element = await client.next()
        if element.get("id") == "register":
            if element.get("type") == "result":
                return ""
            return local(next(child for child in element if local(child.tag) == "error")[0].tag)


async def registration_flood(preset):
    """Row 42: an address makes so many accounts and no more, on however many streams; others still do."""
    cluster = LIMITED.up(preset)
    made = 0
    for i in range(5):
        client = await proxied(cluster, "198.51.100.7")
        answer = await register(client, f"flood-{i}")
        assert answer in ("", "resource-constraint"), answer
        made += answer == ""
        client.abort()
    assert made == 3, made
    # Of one network: IPv6 addresses are there for the taking.
    client = await proxied(cluster, "198.51.100.8")
    assert await register(client, "not-flooded") == ""
    client.abort()


async def names_that_deceive(preset):
    """Row 30: names that look like others are not given to strangers; what is wrong is named, and not counted."""
    cluster = LIMITED.up(preset)
    for name, password, condition in (
            ("p\u0430ypal", "secret", "not-acceptable"), ("\u0440\u0430ypal", "secret", "not-acceptable"),
            ("a b", "secret", "not-acceptable"), ("", "secret", "not-acceptable"),
            ("x" * 1100, "secret", "not-acceptable"), ("a@b", "secret", "not-acceptable"),
            ("honest", "", "not-acceptable"), ("alice", "secret", "conflict"), ("honest", "secret", "")):
        client = await proxied(cluster, "198.51.100.20")
        assert await register(client, name, password) == condition, name
        client.abort()


async def questions_of_strangers(preset):
    """Row 42: a stream that asks on and on without logging in is not answered any more, and ends in time."""
    cluster = LIMITED.up(preset)
    client = await fresh(cluster)
    answers = 0
    try:
        for i in range(200):
            client.send(f"<iq type='get' id='q{i}'><query xmlns='{REGISTER}'/></iq>")
        while True:
            answers += (await client.next(8)).tag.endswith("}iq")
    except StreamClosed:
        pass
    await stream_end(client)
    assert 0 < answers <= 20, answers


async def big_cards(preset):
    """Row 41: what an account keeps for everybody to fetch is bounded."""
    cluster = PLAIN.up(preset)
    client = await session(cluster)
    for size, condition in ((210 * 1024, "policy-violation"), (100 * 1024, "")):
        client.send(f"<iq type='set' id='v{size}'><vCard xmlns='vcard-temp'><PHOTO><BINVAL>{'A' * size}</BINVAL>"
                    "</PHOTO></vCard></iq>")
        if condition:
            assert (await stanza_error(client, f"v{size}"))[1] == condition
    await client.ping()
    client.send("<iq type='set' id='gone'><vCard xmlns='vcard-temp'/></iq>")
    await client.ping()
    await client.close()


async def event_storm(preset):
    """Row 41: events that one account causes are counted; beyond, it waits, and others do not."""
    cluster = LIMITED.up(preset)
    client = await session(cluster, presence=True)

    def publish(i):
        client.send(f"<iq type='set' id='e{i}'><pubsub xmlns='{PUBSUB}'><publish node='urn:example:storm'>"
                    f"<item id='{i}'><storm xmlns='urn:example:storm'/></item></publish></pubsub></iq>")

    client.send("<iq type='set' id='sub'><pubsub xmlns='http://jabber.org/protocol/pubsub'><create "
                "node='urn:example:storm'/></pubsub></iq>")
    client.send(f"<iq type='set' id='sub2'><pubsub xmlns='{PUBSUB}'><subscribe node='urn:example:storm' "
                f"jid='{client.jid}'/></pubsub></iq>")
    await client.ping()
    errors = []
    for i in range(120):
        publish(i)
    for element in await client.ping():
        if element.get("type") == "error":
            error = next(child for child in element if local(child.tag) == "error")
            errors.append((error.get("type"), local(error[0].tag)))
    assert errors and set(errors) == {("wait", "resource-constraint")}, errors
    other = await session(cluster, "bob", presence=True)
    other.send(f"<iq type='set' id='o'><pubsub xmlns='{PUBSUB}'><publish node='urn:example:calm'>"
               "<item id='1'><calm xmlns='urn:example:calm'/></item></publish></pubsub></iq>")
    assert all(e.get("type") != "error" for e in await other.ping())
    for each in (client, other):
        await each.close()


TESTS = {
    "42 a flood of registrations": registration_flood,
    "30 names that deceive": names_that_deceive,
    "42 strangers who ask and ask": questions_of_strangers,
    "41 big cards": big_cards,
    "41 a storm of events": event_storm,
}
