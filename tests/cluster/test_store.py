"""PostgreSQL goes away under a running cluster and comes back; SQLite's file is held by others."""

import asyncio
import json
import time
import urllib.error
import urllib.request

from cluster import Cluster, eventually
from traffic import Traffic, add_users, make_pairs
from xmpp import AuthFailure, CLIENT, Client


def ready(cluster, ident):
    """(status, text) of /readyz."""
    try:
        with urllib.request.urlopen(cluster.process(ident)["admin"] + "/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def database_down(preset):
    """Who is logged in stays and talks; who wants the store gets a named error; afterwards all is well."""
    with Cluster(preset=preset, store="postgres") as cluster:
        pairs = await make_pairs(cluster, 10, lambda i: cluster.manager_address(1 + i % 2, "c2s_tls"))
        add_users(cluster, ["late"])
        async with Traffic(pairs, 50) as traffic:
            await asyncio.sleep(0.5)
            cluster.kill("postgres", hold=True)
            business = cluster.ids("business")
            for ident in business:
                await eventually(lambda i=ident: ready(cluster, i)[0] == 503, f"{ident} is not ready", 20)
                assert "store" in ready(cluster, ident)[1], ready(cluster, ident)

            # Whose keys nobody has cached: not refused as if the password were wrong.
            late = Client(cluster.manager_address(1), cluster.domain, cluster.ca)
            try:
                await late.login("late", cluster.users["late"])
                raise AssertionError("logged in without a store")
            except AuthFailure as failure:
                assert failure.condition == "temporary-auth-failure", failure
            for arguments, code in ((("user", "add", "more@localhost", "--password-stdin"), 5),
                                    (("user", "show", "late@localhost"), 5), (("user", "list"), 5),
                                    (("user", "del", "late@localhost"), 5), (("domain", "list"), 5),
                                    (("domain", "add", "x.example"), 5), (("store", "check"), 5), (("doctor",), 1),
                                    (("session", "list"), 0), (("manager", "list"), 0)):
                begin = time.monotonic()
                result = cluster.ctl(*arguments, check=False, input="secret\n")
                assert result.returncode == code, (arguments, result)
                assert time.monotonic() - begin < 8, f"{arguments} took {time.monotonic() - begin:.1f} s"
                if code == 5:
                    assert "the store is not reached" in result.stderr, (arguments, result)
                    told = cluster.ctl("--json", *arguments, check=False, input="secret\n")
                    assert json.loads(told.stdout)["error"]["code"] == "UNAVAILABLE", told
            assert all(p.connected for p in pairs), "somebody was disconnected"

            # A change that is asked for now is made when the database is back.
            client = pairs[0].sender
            answers = []
            at_sender, client.on_stanza = client.on_stanza, lambda e: answers.append(e) if e.get("id") == "set" else \
                at_sender(e)
            client.send("<iq type='set' id='set'><query xmlns='jabber:iq:roster'>"
                        "<item jid='friend@localhost'/></query></iq>")
            cluster.start("postgres")
            for ident in business:
                await eventually(lambda i=ident: ready(cluster, i)[0] == 200, f"{ident} is ready again", 30)
            await eventually(lambda: answers, "the roster's change is answered", 40)
            kept = answers[0].get("type") == "result"
            await traffic.settle(60)
        assert all(p.connected for p in pairs)
        problems = [sentence for pair in pairs for sentence in pair.problems()]
        assert not problems, problems[:10]
        assert answers[0].tag == CLIENT + "iq" and len(answers) == 1, answers
        listed = json.loads(cluster.ctl("--json", "roster", "list", f"{pairs[0].sender.jid.partition('/')[0]}").stdout)
        assert kept == any(c["jid"] == "friend@localhost" for c in listed["contacts"]), (kept, listed)
        cluster.ctl("store", "check")
        late = Client(cluster.manager_address(2), cluster.domain, cluster.ca)
        await late.login("late", cluster.users["late"])
        for client in (late, *(c for p in pairs for c in (p.sender, p.receiver))):
            await client.close()


TESTS = {"the database goes away and comes back": database_down}
