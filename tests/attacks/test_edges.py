"""Rows 54, 55, 57: logs, metacharacters, what must not be guessed."""

import asyncio
import glob
import json
import os
import urllib.request

from attack import PLAIN, alive, authenticated, fresh, session
from cluster import eventually
from xmpp import AuthFailure

SASL_NS = "urn:ietf:params:xml:ns:xmpp-sasl"


def log_lines(cluster):
    for path in glob.glob(os.path.join(cluster.data, "logs", "*")):
        name = os.path.basename(path)
        if name.startswith(("connmgr", "business")):
            with open(path, encoding="utf-8", newline="\n") as text:
                yield from ((name, line) for line in text)


def set_log_level(cluster, level):
    for process in cluster.status["processes"]:
        if process["tier"] in ("connmgr", "business"):
            request = urllib.request.Request(f"{process['admin']}/loglevel?level={level}", method="POST")
            urllib.request.urlopen(request, timeout=5).close()


async def log_injection(preset):
    """Row 54: whatever a stranger can get into a log is one line of JSON, escaped and cut at 256 bytes."""
    cluster = PLAIN.up(preset)
    set_log_level(cluster, "debug")
    evil = {"marker-crlf": '&#13;&#10;{"level":"error","event":"forged-line"}', "marker-tab": "&#9;\\\"\\u0000",
            "marker-bidi": "\u202eecila\u202c\u2066x\u2069\u200f", "marker-c1": "\u0085\u009b31m\u2028",
            "marker-jndi": "${jndi:ldap://x}", "marker-long": "x" * 6000}
    for name, text in evil.items():
        client = await fresh(cluster)
        quoted = text.replace('"', "&quot;")
        client.send(f'<auth xmlns="{SASL_NS}" mechanism="{name}{quoted}">AA==</auth>')
        await client.next()
        client.abort()
    client = await fresh(cluster)
    try:
        await client.authenticate("marker-user", "password-that-must-not-be-logged", "PLAIN")
    except AuthFailure:
        client.abort()
    client = await authenticated(cluster)
    await client.bind("marker-resource " + "\u00e4" * 500)
    client.send("<message to='nobody@localhost' id='log'><body>body-that-must-not-be-logged</body></message>")
    await client.ping()
    await client.close()
    markers = [*evil, "marker-resource", '"auth_failed"']
    seen = lambda: "".join(line for _, line in log_lines(cluster))
    await eventually(lambda: all(marker in seen() for marker in markers), "all of it is in the logs")
    set_log_level(cluster, "info")
    for name, line in log_lines(cluster):
        if not line.startswith("{"):
            continue  # a sanitizer's or the loader's own words
        fields = json.loads(line)
        assert {"level", "event", "msg"} <= set(fields) and fields["event"] != "forged-line", (name, line)
        assert line.endswith("}\n") and line[:-1].isprintable(), (name, line)
        assert not set(line) & set("\u202e\u202c\u2066\u2069\u200f\u0085\u009b\u2028\x1b\r\t"), (name, line)
        assert all(len(str(value).encode()) <= 256 for value in fields.values()), (name, line)
        assert "must-not-be-logged" not in line, (name, line)
    for secret in glob.glob(os.path.join(cluster.data, "secrets", "*")):
        with open(secret, "rb") as content:
            text = content.read()
        assert text.strip().decode("latin-1") not in seen(), f"{secret} is in a log"


NAMES = ["a{b}c", "{x}", "a*b", "a%b_c", "a;drop table accounts", "a--b", "a`id`b", "a$(id)", "a.b[c]", "a|b", "a\\20b",
         "a(b)", "a?b", "a~b", "a!b", "a=b,c", "a#b", "+a", "a^b", "''"]
# What RFC 7622 §3.3.1 keeps out of localparts, and what has a space or cannot be composed.
NO_NAMES = {"a;drop table accounts", "''"}
RESOURCES = ["r*{}:\u2603%_'", "'; DROP TABLE accounts; --", "\"$(reboot)`x`", "x:{y}:sessions", "a\\nb %s %n", "*", "{}",
             "../../etc/passwd", "KEYS *", "0", "-1"]


async def metacharacters(preset):
    """Row 55: what means something to Redis, SQL or a shell is a name like any other."""
    cluster = PLAIN.up(preset)
    clients, names = [], [n for n in NAMES if n not in NO_NAMES]
    for name in NO_NAMES:
        assert cluster.ctl("user", "add", f"{name}@localhost", "--password-stdin", input="x\n",
                           check=False).returncode != 0, name
    for name in names:
        cluster.add_user(name)
        client = await session(cluster, name, manager=1 + len(clients) % 2,
                               resource=RESOURCES[len(clients) % len(RESOURCES)].replace("&", "&amp;"), presence=True)
        assert client.jid == f"{name}@localhost/{RESOURCES[len(clients) % len(RESOURCES)]}", client.jid
        await client.ping()
        clients.append(client)
    for i, client in enumerate(clients):
        other = clients[(i + 1) % len(clients)]
        for target in (other.jid, other.jid.partition("/")[0]):
            quoted = target.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
            client.send(f'<message to="{quoted}" type="chat" id="mc{i}"><body>%s {{}} \' -- hi</body></message>')
            element = await other.next()
            assert element.get("id") == f"mc{i}" and element.get("from") == client.jid, (client.jid, element.attrib)
    # Nobody else got anything: a pattern would have found others.
    for client in clients:
        assert not await client.ping(), client.jid
    users = {u["jid"] for u in json.loads(cluster.ctl("--json", "user", "list").stdout)["users"]}
    assert {f"{n}@localhost" for n in names} <= users, users
    listed = {s["jid"] for s in json.loads(cluster.ctl("--json", "session", "list").stdout)["sessions"]}
    assert {c.jid for c in clients} <= listed, listed
    await asyncio.gather(*(c.close() for c in clients))
    # What looks like a pattern removes one.
    cluster.ctl("user", "del", "a*b@localhost")
    left = {u["jid"] for u in json.loads(cluster.ctl("--json", "user", "list").stdout)["users"]}
    assert users - left == {"a*b@localhost"}, users - left
    await alive(cluster)


async def stream_ids(preset):
    """Row 57: 128 bits, new each time (RFC 6120 §4.7.3)."""
    cluster = PLAIN.up(preset)
    ids = []
    for _ in range(20):
        client = await fresh(cluster, tls=None)
        ids.append(client.root.get("id"))
        client.abort()
    assert len(set(ids)) == 20 and all(len(i) == 32 and int(i, 16) >= 0 for i in ids), ids
    for position in range(32):  # no digit is a constant or a counter's high part
        assert len({i[position] for i in ids}) > 2, (position, ids)


def admin_token(preset):
    """Row 57: the operator's token is compared whole; a part of it, or none, opens nothing."""
    cluster = PLAIN.up(preset)
    with open(os.path.join(cluster.data, "secrets", "admin-token"), encoding="utf-8") as text:
        token = text.read().strip()
    assert len(token) >= 32
    guess = os.path.join(cluster.data, "guess")
    for wrong in (token[:-1], token + "0", token.upper() + "x", "x" * len(token)):
        with open(guess, "w", encoding="utf-8") as out:
            out.write(wrong)
        for words in (("user", "list"), ("user", "del", "bob@localhost"), ("session", "list"), ("config", "print")):
            result = cluster.ctl("--token-file", guess, *words, check=False)
            assert result.returncode not in (0, 2) and "bob" not in result.stdout, (wrong, words, result)
    assert "bob@localhost" in cluster.ctl("user", "list").stdout


TESTS = {
    "row 54: logs": log_injection,
    "row 55: metacharacters": metacharacters,
    "row 57: stream ids": stream_ids,
    "row 57: the admin token": admin_token,
}
