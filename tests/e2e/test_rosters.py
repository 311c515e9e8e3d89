"""xylemctl roster: what an operator changes reaches clients as their own changes do."""

import json

from cluster import Cluster
from xmpp import CLIENT, Client

ROSTER = "{jabber:iq:roster}"


async def login(cluster, name, manager):
    client = Client(cluster.manager_address(manager), cluster.domain, cluster.ca)
    await client.login(name, cluster.users[name], "home")
    client.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
    await client.ping()
    return client


async def pushed(client):
    """The item of the next push."""
    while True:
        element = await client.next()
        if element.tag == CLIENT + "iq" and element.get("type") == "set":
            return element.find(f"{ROSTER}query/{ROSTER}item")


async def operator(preset):
    with Cluster(preset=preset) as cluster:
        ctl = lambda *a: json.loads(cluster.ctl("--json", "roster", *a).stdout)
        alice, bob = await login(cluster, "alice", 1), await login(cluster, "bob", 2)
        made = ctl("set", "alice@localhost", "Bob@localhost", "--name", "Bob", "--group", "Tea", "--group", "Croquet",
                   "--subscription", "to", "--mirror")
        assert made["contacts"] == [{"jid": "bob@localhost", "name": "Bob", "subscription": "to", "ask": False,
                                     "approved": False, "groups": ["Tea", "Croquet"]}], made
        item = await pushed(alice)
        assert (item.get("jid"), item.get("subscription")) == ("bob@localhost", "to")
        item = await pushed(bob)
        assert (item.get("jid"), item.get("subscription")) == ("alice@localhost", "from")
        bob.send("<presence><show>dnd</show></presence>")
        while (await alice.next()).get("from") != bob.jid:
            pass

        bob.send("<presence to='alice@localhost' type='subscribe'/>")
        await bob.ping()
        assert ctl("list", "alice@localhost")["requests"] == ["bob@localhost"]
        assert ctl("remove", "alice@localhost", "bob@localhost")["contacts"] == []
        assert ctl("list", "bob@localhost")["contacts"][0]["subscription"] == "none"
        text = cluster.ctl("roster", "list", "bob@localhost").stdout
        assert "alice@localhost" in text and "none" in text, text
        for arguments, code in ((("list", "nobody@localhost"), 3), (("list", "alice"), 1),
                                (("remove", "alice@localhost", "bob@localhost"), 3),
                                (("set", "alice@localhost", "alice@localhost"), 1),
                                (("set", "alice@localhost", "a@@b"), 1),
                                (("set", "nobody@localhost", "bob@localhost"), 3),
                                (("set", "alice@localhost", "bob@localhost", "--subscription", "much"), 1)):
            result = cluster.ctl("roster", *arguments, check=False)
            assert result.returncode == code and result.stderr.strip(), (arguments, result)
        await alice.close()
        await bob.close()


TESTS = {"xylemctl roster": operator}
