"""xylemctl domain: a domain added to a running cluster is served by all of it, and no more when it goes."""

import json

from cluster import Cluster, eventually
from xmpp import CLIENT, Client, StreamClosed

DOMAIN = "mantua.example"


async def login(cluster, domain, name, manager, password):
    # The managers' certificate is for the domains of the start, or "*": nobody checks the name here.
    client = Client(cluster.manager_address(manager), domain)
    await client.login(name, password, f"on{manager}")
    client.send("<presence/>")
    await client.ping()
    return client


async def refused(cluster, domain, manager, name="romeo"):
    """The stream error that a login meets; '' if there was none."""
    client = Client(cluster.manager_address(manager), domain)
    try:
        await client.login(name, "secret", "late")
    except (StreamClosed, AssertionError):
        while client.closed is None:
            await client.next()
        return client.closed.condition
    await client.close()
    return ""


async def message(receiver, body):
    while True:
        element = await receiver.next()
        text = element.find(CLIENT + "body")
        if element.tag == CLIENT + "message" and text is not None:
            assert text.text == body, text.text
            return element.get("from")


async def domains(preset):
    with Cluster(preset=preset) as cluster:
        ctl = lambda *a: json.loads(cluster.ctl("--json", *a).stdout)
        assert await refused(cluster, DOMAIN, 1) == "host-unknown"
        alice = await login(cluster, "localhost", "alice", 1, cluster.users["alice"])

        made = ctl("domain", "add", "Mantua.EXAMPLE")["domains"]
        assert [(d["name"], d["configured"]) for d in made] == [("localhost", True), (DOMAIN, False)], made
        # Each business server and each manager, nothing was started anew.
        for business in cluster.ids("business"):
            address = cluster.process(business)["addresses"]["rpc"]
            await eventually(lambda a=address: cluster.ctl("--address", a, "user", "add", f"probe@{DOMAIN}",
                                                           "--password-stdin", input="secret\n",
                                                           check=False).returncode in (0, 4),
                             f"{business} serves the domain")
        cluster.ctl("user", "add", f"romeo@{DOMAIN}", "--password-stdin", input="secret\n")
        for manager in (1, 2):  # they hear of it from business servers, a moment later
            async def served(manager=manager):
                return await refused(cluster, DOMAIN, manager) == ""
            await eventually(served, f"manager {manager} serves the domain")
        romeos = [await login(cluster, DOMAIN, "romeo", manager, "secret") for manager in (1, 2)]

        alice.send(f"<message to='romeo@{DOMAIN}/on2' type='chat'><body>out</body></message>")
        assert await message(romeos[1], "out") == alice.jid
        romeos[1].send(f"<message to='{alice.jid}' type='chat'><body>back</body></message>")
        assert await message(alice, "back") == f"romeo@{DOMAIN}/on2"

        for arguments, code in ((("add", DOMAIN), 4), (("add", "LOCALHOST"), 4), (("add", "a..b"), 1),
                                (("add", "127.0.0.1"), 1), (("add", "x@y"), 1), (("del", "localhost"), 1),
                                (("del", "verona.example"), 3)):
            result = cluster.ctl("domain", *arguments, check=False)
            assert result.returncode == code and result.stderr.strip(), (arguments, result)

        # A business server that comes later knows it before managers hear of it: nobody is thrown out.
        for business in cluster.ids("business"):
            cluster.kill(business)
            await eventually(lambda b=business: cluster.process(b)["state"] == "ready", f"{business} is back", 30)
        for romeo in romeos:
            await romeo.ping()

        ctl("domain", "del", DOMAIN)
        for romeo in romeos:
            try:
                while True:
                    await romeo.next()
            except StreamClosed as closed:
                assert closed.condition == "host-gone", closed
        await eventually(lambda: refused(cluster, DOMAIN, 1), "the first manager refuses")
        assert await refused(cluster, DOMAIN, 2) == "host-unknown"
        await alice.ping()
        alice.send(f"<message to='romeo@{DOMAIN}' type='chat' id='gone'><body>out</body></message>")
        while (bounce := await alice.next()).get("id") != "gone":
            pass
        assert bounce.find(CLIENT + "error")[0].tag.endswith("remote-server-not-found")

        # Its accounts were kept.
        ctl("domain", "add", DOMAIN)
        async def back():
            return await refused(cluster, DOMAIN, 2) == ""
        await eventually(back, "romeo logs in again")
        await alice.close()


TESTS = {"xylemctl domain": domains}
