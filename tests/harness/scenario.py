"""Reads and plays scenarios: plays in plain text, the .scs format known from Prosody's tests.

    # Title
    [Client] Romeo
        jid: romeo@localhost      (the account is made before the play)
        password: secret
        resource: garden          (optional)

    -----
    Romeo connects
    Romeo sends:
        <message to="${Juliet's full JID}"><body>hi</body></message>
    Juliet receives:
        <message from="${Romeo's full JID}"><body>hi</body></message>
    Juliet receives nothing
    Romeo disconnects

Matching is relaxed: what the play writes must be there; other attributes and children may be.
`scansion:strict="true"` on an element forbids other children; `{scansion:any}` as an attribute's value
or text matches anything; `scansion:absent="true"` on a child forbids it; an attribute value of
`{scansion:none}` forbids the attribute, `{capture:NAME}` takes it for a later `${NAME}`. "X receives nothing" means nothing before the answer to a ping.
"X receives in any order:" takes several stanzas. "X opens a stream" and does not log in. A text of
`{capture:NAME:PATTERN}` takes what the pattern's group matches.
A request for counts (XEP-0198 <r/>) is passed over unless the play expects it.

"X connects again" loses the socket without a word and authenticates on a new one, at another manager if
there are two; what follows is resuming or binding.

"X befriends Y" or "X befriends Y in GROUP" makes contacts of two, who see each other's presence; the group
is in X's roster. "X is available and wants:" with the names of pubsub nodes sends presence with a capabilities
hash nobody has seen before, and answers when the server asks for it (XEP-0115).
"""

import asyncio
import base64
import hashlib
import re
import secrets
import xml.etree.ElementTree as ET

from xmpp import Client

SCANSION = "{https://matthewwild.co.uk/projects/scansion}"
SM_REQUEST = "{urn:xmpp:sm:3}r"
DISCO_INFO = "http://jabber.org/protocol/disco#info"
PROLOGUE = ("<wrap xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
            "xmlns:scansion='https://matthewwild.co.uk/projects/scansion'>")


class Mismatch(Exception):
    """What the play expected and what came."""


class Play:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as text:
            lines = text.read().splitlines()
        divider = next((i for i, line in enumerate(lines) if line.startswith("---")), None)
        if divider is None:
            raise ValueError(f"{path}: no ----- between the actors and the play")
        self.title = next((line[1:].strip() for line in lines if line.startswith("#")), path)
        self.actors = self.read_actors(lines[:divider])
        self.actions = self.read_actions(lines[divider + 1:], divider + 2)

    def read_actors(self, lines):
        actors, current = {}, None
        for line in lines:
            found = re.match(r"\[Client\] (.+)", line)
            if found:
                current = actors.setdefault(found.group(1).strip(), {})
            elif current is not None and ":" in line and not line.startswith("#"):
                key, _, value = line.strip().partition(":")
                current[key.strip()] = value.strip()
        return actors

    def read_actions(self, lines, first):
        actions = []
        for number, line in enumerate(lines, first):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if line[0] in " \t":
                actions[-1][2].append(line.strip())
                continue
            actor = next((a for a in sorted(self.actors, key=len, reverse=True) if line.startswith(a + " ")), None)
            if actor is None:
                raise ValueError(f"{self.path}:{number}: no actor begins '{line}'")
            actions.append((actor, line[len(actor) + 1:].strip().rstrip(":").strip(), [], number))
        return actions


class Stage:
    """Plays on a cluster; `place` says which address an actor connects to, `elsewhere` where it comes back."""

    def __init__(self, cluster, place, tls="starttls", elsewhere=None):
        self.cluster, self.place, self.tls = cluster, place, tls
        self.elsewhere = elsewhere or place
        self.clients = {}
        self.variables = {}

    def fill(self, text):
        def value(found):
            key = found.group(1)
            if key not in self.variables:
                raise Mismatch(f"nobody knows ${{{key}}}")
            return self.variables[key]
        return re.sub(r"\$\{([^}]+)\}", value, text)

    async def play(self, play, timeout=10):
        for actor, values in play.actors.items():
            self.variables[f"{actor}'s JID"] = values["jid"].partition("/")[0]
            if values.get("resource"):
                self.variables[f"{actor}'s full JID"] = f"{values['jid'].partition('/')[0]}/{values['resource']}"
        try:
            for actor, action, body, number in play.actions:
                try:
                    await asyncio.wait_for(self.act(play, actor, action, "\n".join(body)), timeout)
                except Exception as error:
                    raise Mismatch(f"{play.path}:{number}: {actor} {action}: {error or type(error).__name__}") from error
        finally:
            await asyncio.gather(*(c.close() for c in self.clients.values()))
            self.clients.clear()

    async def act(self, play, actor, action, body):
        values = play.actors[actor]
        if action == "connects":
            client = Client(self.place(actor), self.cluster.domain, self.cluster.ca)
            self.clients[actor] = client
            user = values["jid"].partition("@")[0]
            await client.login(user, values["password"], values.get("resource", ""), self.tls, presence=False)
            self.variables[f"{actor}'s full JID"] = client.jid
        elif action == "opens a stream":  # with TLS, and does not log in
            client = Client(self.place(actor), self.cluster.domain, self.cluster.ca)
            self.clients[actor] = client
            await client.connect(self.tls)
        elif action == "connects again":
            if actor in self.clients:
                self.clients[actor].abort()
            client = Client(self.elsewhere(actor), self.cluster.domain, self.cluster.ca)
            self.clients[actor] = client
            await client.connect(self.tls)
            await client.authenticate(values["jid"].partition("@")[0], values["password"])
        elif action == "disconnects":
            await self.clients.pop(actor).close()
        elif action == "drops":
            self.clients.pop(actor).abort()
        elif action.startswith("befriends "):
            self.befriend(play, actor, *action.removeprefix("befriends ").partition(" in ")[::2])
        elif action == "is available and wants":
            await self.become_available(actor, body.split())
        elif action == "sends":
            self.clients[actor].send(self.fill(body))
        elif action == "receives nothing":
            extra = [e for e in await self.clients[actor].ping() if e.tag != SM_REQUEST]
            if extra:
                raise Mismatch("received " + ET.tostring(extra[0]).decode())
        elif action in ("receives", "receives in any order"):
            expected = list(ET.fromstring(PROLOGUE + self.fill(body) + "</wrap>"))
            await self.receive(self.clients[actor], expected, action != "receives")
        else:
            raise ValueError(f"no such action: '{action}'")

    def befriend(self, play, actor, other, group):
        mine, theirs = (play.actors[name]["jid"].partition("/")[0] for name in (actor, other))
        self.cluster.ctl("roster", "set", mine, theirs, "--subscription", "both", "--mirror",
                         *(["--group", group] if group else []))

    async def become_available(self, actor, nodes):
        client = self.clients[actor]
        name = "play " + secrets.token_hex(8)
        features = sorted([DISCO_INFO, *(f"{node}+notify" for node in nodes)])
        text = "".join([f"client/bot//{name}<", *(f"{feature}<" for feature in features)])
        ver = base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()
        asked = asyncio.Event()

        def on_stanza(stanza):
            query = stanza.find(f"{{{DISCO_INFO}}}query")
            if stanza.get("type") != "get" or query is None:
                client.inbox.put_nowait(stanza)
                return
            client.send(f"<iq type='result' id='{stanza.get('id')}' to='{stanza.get('from')}'>"
                        f"<query xmlns='{DISCO_INFO}' node='{query.get('node')}'>"
                        f"<identity category='client' type='bot' name='{name}'/>"
                        + "".join(f"<feature var='{feature}'/>" for feature in features) + "</query></iq>")
            asked.set()

        client.on_stanza = on_stanza
        client.send("<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
                    f"node='urn:example:play' ver='{ver}'/></presence>")
        await asked.wait()
        client.send(f"<iq type='get' id='heard-{name[-8:]}' to='{self.cluster.domain}'>"
                    "<ping xmlns='urn:xmpp:ping'/></iq>")
        await self.pong(client, f"heard-{name[-8:]}")

    @staticmethod
    async def pong(client, ident):
        """Waits for an answer and leaves what came before it in its order."""
        before = []
        while True:
            element = await client.next()
            if element.get("id") == ident:
                break
            before.append(element)
        after = []
        while not client.inbox.empty():
            after.append(client.inbox.get_nowait())
        for element in before + after:
            client.inbox.put_nowait(element)

    def capture(self, expected, actual):
        for name, value in expected.attrib.items():
            found = re.fullmatch(r"\{capture:(.+)\}", value)
            if found:
                self.variables[found.group(1)] = actual.get(name)
        found = re.fullmatch(r"\{capture:([^:]+):(.+)\}", (expected.text or "").strip())
        if found:
            self.variables[found.group(1)] = re.search(found.group(2), actual.text or "").group(1)
        for child in expected:
            same = [c for c in actual if not mismatch(child, c)]
            if same:
                self.capture(child, same[0])

    async def receive(self, client, expected, any_order):
        while expected:
            element = await client.next()
            candidates = expected if any_order else expected[:1]
            if element.tag == SM_REQUEST and all(c.tag != SM_REQUEST for c in candidates):
                continue
            problems = []
            for candidate in candidates:
                problem = mismatch(candidate, element)
                if not problem:
                    expected.remove(candidate)
                    self.capture(candidate, element)
                    break
                problems.append(problem)
            else:
                raise Mismatch(f"{'; '.join(problems)}\n  received {ET.tostring(element).decode()}")


def mismatch(expected, actual, where=""):
    """'' when `actual` has all that `expected` writes, else what differs."""
    where = f"{where}/{expected.tag.rpartition('}')[2]}"
    if expected.tag != actual.tag:
        return f"{where}: got <{actual.tag}>"
    for name, value in expected.attrib.items():
        if name.startswith(SCANSION):
            continue
        got = actual.get(name)
        if value == "{scansion:none}":
            if got is not None:
                return f"{where}: has {name}='{got}'"
        elif got is None or not (value in ("{scansion:any}", got) or value.startswith("{capture:")):
            return f"{where}: {name} is {got!r}, not {value!r}"
    text = (expected.text or "").strip()
    if text.startswith("{capture:"):
        pattern = text[1:-1].split(":", 2)[2]
        text = "" if re.search(pattern, actual.text or "") else text
    if text and text != "{scansion:any}" and text != (actual.text or "").strip():
        return f"{where}: text {actual.text!r}, not {text!r}"
    left = list(actual)
    for child in expected:
        if child.get(SCANSION + "absent") == "true":
            if any(c.tag == child.tag for c in actual):
                return f"{where}: has <{child.tag}>"
            continue
        problems = []
        for candidate in left:
            problem = mismatch(child, candidate, where)
            if not problem:
                left.remove(candidate)
                break
            if candidate.tag == child.tag:
                problems.append(problem)
        else:
            return problems[0] if problems else f"{where}: no <{child.tag}>"
    if expected.get(SCANSION + "strict") == "true" and left:
        return f"{where}: also has <{left[0].tag}>"
    return ""
