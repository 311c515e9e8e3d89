"""Rows 23–27: SASL, its messages, and those who guess."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import statistics
import subprocess
import time
import xml.etree.ElementTree as ET

import build
from attack import LIMITED, PLAIN, fresh, proxied, stream_error
from xmpp import Scram, StreamClosed, local

SASL_NS = "urn:ietf:params:xml:ns:xmpp-sasl"
SOURCES = (f"192.0.2.{i}" for i in itertools.count(1))


def encode(data):
    return base64.b64encode(data).decode() if isinstance(data, bytes) else data


def auth(mechanism, data):
    return f"<auth xmlns='{SASL_NS}' mechanism='{mechanism}'>{encode(data)}</auth>"


def response(data):
    return f"<response xmlns='{SASL_NS}'>{encode(data)}</response>"


async def ask(client, element):
    """('success', '') or ('failure', condition) or ('challenge', its content)."""
    client.send(element)
    reply = await client.next(30)
    name = local(reply.tag)
    if name == "failure":
        return name, local(reply[0].tag)
    return name, base64.b64decode(reply.text or "").decode()


def fields(challenge):
    return dict(part.split("=", 1) for part in challenge.split(","))


class Crooked(Scram):
    """SCRAM (RFC 5802) that binds to a channel, names others, or lies."""

    def __init__(self, user, password, gs2="n,,", binding=b"", mechanism="SCRAM-SHA-256"):
        super().__init__(mechanism, user, password)
        self.gs2, self.binding = gs2, binding

    def first(self):
        return (self.gs2 + self.bare).encode()

    def final(self, challenge, nonce=None, channel=None, garble=False):
        parts = fields(challenge)
        channel = encode(self.gs2.encode() + self.binding) if channel is None else channel
        salted = hashlib.pbkdf2_hmac(self.name, self.password.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
        client_key = hmac.digest(salted, b"Client Key", self.name)
        without_proof = f"c={channel},r={parts['r'] if nonce is None else nonce}"
        message = ",".join([self.bare, challenge, without_proof]).encode()
        signature = hmac.digest(hashlib.new(self.name, client_key).digest(), message, self.name)
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", self.name), message, self.name)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        if garble:
            proof = bytes([proof[0] ^ 1]) + proof[1:]
        return f"{without_proof},p={encode(proof)}".encode()


async def exchange(client, scram, mechanism="SCRAM-SHA-256", **lies):
    kind, text = await ask(client, auth(mechanism, scram.first()))
    if kind != "challenge":
        return kind, text
    return await ask(client, response(scram.final(text, **lies)))


def refused(mechanism, data, condition):
    """One <auth/> that fails, and a stream that lives on: the right password still opens it."""
    async def test(preset):
        cluster = PLAIN.up(preset)
        client = await fresh(cluster)
        element = data if isinstance(data, str) and data.startswith("<") else auth(mechanism, data)
        assert await ask(client, element) == ("failure", condition)
        await client.authenticate("alice", cluster.users["alice"])
        client.abort()
    return test


# (row, name, mechanism, message or whole element, condition)
FAILURES = [
    (23, "unknown mechanism", "X-NONE", b"", "invalid-mechanism"),
    (23, "no mechanism", "", f"<auth xmlns='{SASL_NS}'/>", "invalid-mechanism"),
    (23, "mechanism in lower case", "plain", b"\0a\0b", "invalid-mechanism"),
    (23, "bad base64", "PLAIN", "!!!", "incorrect-encoding"),
    (23, "base64 with white space inside", "PLAIN", "AGFs aWNl", "incorrect-encoding"),
    (23, "base64 without padding", "PLAIN", "AGEAYg", "incorrect-encoding"),
    (23, "base64 with padding inside", "PLAIN", "AGE=AGI=", "incorrect-encoding"),
    (23, "base64 with bits to spare", "PLAIN", "AGEAYh==", "incorrect-encoding"),
    (23, "an empty message", "PLAIN", "=", "malformed-request"),
    (23, "an element inside", "", f"<auth xmlns='{SASL_NS}' mechanism='PLAIN'><x/></auth>", "malformed-request"),
    (23, "response without a challenge", "", response(b"x"), "malformed-request"),
    (23, "abort without an exchange", "", f"<abort xmlns='{SASL_NS}'/>", "aborted"),
    (23, "no separators", "PLAIN", b"alice", "malformed-request"),
    (23, "too many separators", "PLAIN", b"\0a\0b\0c", "malformed-request"),
    (23, "no user", "PLAIN", b"\0\0secret", "malformed-request"),
    (23, "no password", "PLAIN", b"\0alice\0", "malformed-request"),
    (23, "no UTF-8", "PLAIN", b"\0alice\0\xff\xfe", "malformed-request"),
    (23, "oversize user", "PLAIN", b"\0" + b"a" * 1024 + b"\0secret", "malformed-request"),
    (23, "oversize password", "PLAIN", b"\0alice\0" + b"x" * 1024, "malformed-request"),
    (23, "oversize message", "PLAIN", b"\0alice\0" + b"x" * 7000, "malformed-request"),
    (23, "SCRAM garbage", "SCRAM-SHA-256", b"garbage", "malformed-request"),
    (23, "SCRAM without a nonce", "SCRAM-SHA-256", b"n,,n=alice", "malformed-request"),
    (23, "SCRAM with an empty nonce", "SCRAM-SHA-256", b"n,,n=alice,r=", "malformed-request"),
    (23, "SCRAM with a bad flag", "SCRAM-SHA-256", b"z,,n=alice,r=abcdefgh", "malformed-request"),
    (23, "SCRAM with a bad escape", "SCRAM-SHA-256", b"n,,n=al=ice,r=abcdefgh", "malformed-request"),
    (23, "SCRAM mandatory extension", "SCRAM-SHA-256", b"n,,m=x,n=alice,r=abcdefgh", "malformed-request"),
    (23, "SCRAM with a long nonce", "SCRAM-SHA-256", b"n,,n=alice,r=" + b"x" * 4000, "malformed-request"),
    (24, "another authzid", "SCRAM-SHA-256", b"n,a=bob@localhost,n=alice,r=abcdefgh", "invalid-authzid"),
    (24, "another user as authzid", "SCRAM-SHA-256", b"n,a=bob,n=alice,r=abcdefgh", "invalid-authzid"),
    (24, "another domain's authzid", "SCRAM-SHA-256", b"n,a=alice@elsewhere.example,n=alice,r=abcdefgh",
     "invalid-authzid"),
    (24, "a resource as authzid", "SCRAM-SHA-256", b"n,a=alice@localhost/x,n=alice,r=abcdefgh", "invalid-authzid"),
    (25, "n on a binding mechanism", "SCRAM-SHA-256-PLUS", b"n,,n=alice,r=abcdefgh", "not-authorized"),
    (25, "y on a binding mechanism", "SCRAM-SHA-256-PLUS", b"y,,n=alice,r=abcdefgh", "not-authorized"),
    (25, "a binding nobody knows", "SCRAM-SHA-256-PLUS", b"p=tls-none,,n=alice,r=abcdefgh", "not-authorized"),
    # RFC 5802 §6 has authentication fail where the flag does not fit the mechanism.
    (25, "binding on a plain mechanism", "SCRAM-SHA-256", b"p=tls-exporter,,n=alice,r=abcdefgh", "not-authorized"),
    (25, "y although binding was offered", "SCRAM-SHA-256", b"y,,n=alice,r=abcdefgh", "not-authorized"),
]


async def malformed_final(preset):
    """Row 23: the second message of SCRAM; its exchange is over then."""
    cluster = PLAIN.up(preset)
    for message in (b"garbage", b"c=biws,r=x", b"c=biws,r=x,p=!!!", b"c=!,r=x,p=AAAA", b"r=x,c=biws,p=AAAA"):
        client = await fresh(cluster)
        assert (await ask(client, auth("SCRAM-SHA-256", b"n,,n=alice,r=abcdefgh")))[0] == "challenge"
        assert await ask(client, response(message)) == ("failure", "malformed-request"), message
        assert await ask(client, response(message)) == ("failure", "malformed-request"), message
        client.abort()


async def another_account(preset):
    """Row 24: whom the messages name besides the user that was proven matters not, or ends it."""
    cluster = PLAIN.up(preset)
    password = cluster.users["alice"]
    for authzid in ("bob@localhost", "bob", "alice@elsewhere.example", "alice@localhost/x", "@localhost"):
        client = await fresh(cluster)
        got = await ask(client, auth("PLAIN", f"{authzid}\0alice\0{password}".encode()))
        assert got == ("failure", "invalid-authzid"), (authzid, got)
        client.abort()
    # The same account written otherwise is the same account, and is called as it was registered.
    for authzid, user in (("", "alice"), ("ALICE@localhost", "Alice"), ("alice@LOCALHOST", "\uff21lice"),
                          ("alice", "ALICE")):
        for mechanism in ("PLAIN", "SCRAM-SHA-256"):
            client = await fresh(cluster)
            if mechanism == "PLAIN":
                got = await ask(client, auth("PLAIN", f"{authzid}\0{user}\0{password}".encode()))
            else:
                got = await exchange(client, Crooked(user, password, f"n,a={authzid}," if authzid else "n,,"))
            assert got[0] == "success", (authzid, user, mechanism, got)
            client.restart_parser()
            await client.open_stream()
            await client.bind("bob@localhost/x")
            assert client.jid == "alice@localhost/bob@localhost/x", client.jid
            await client.close()


def end_point(client):
    """tls-server-end-point (RFC 5929 §4.1) of an ECDSA certificate signed with SHA-256."""
    return hashlib.sha256(client.writer.get_extra_info("ssl_object").getpeercert(True)).digest()


async def liars(preset):
    """Row 25: each lie is the only thing wrong in an exchange that is right otherwise."""
    cluster = PLAIN.up(preset)
    password = cluster.users["alice"]
    binding = "p=tls-server-end-point,,"
    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        async def attempt(plus=False, data=None, gs2=None, mechanism=mechanism, **lies):
            client = await fresh(cluster)
            data = end_point(client) if plus and data is None else data or b""
            scram = Crooked("alice", password, gs2 or (binding if plus else "n,,"), data, mechanism)
            kind, text = await exchange(client, scram, mechanism + ("-PLUS" if plus else ""), **lies)
            client.abort()
            if kind == "success":  # the server proves itself as well
                assert text == "v=" + encode(scram.server_signature), text
            return kind, text
        no = ("failure", "not-authorized")
        assert (await attempt())[0] == "success"
        assert (await attempt(plus=True))[0] == "success"
        assert await attempt(garble=True) == no
        assert await attempt(nonce="abcdefgh") == no
        assert await attempt(channel=encode(b"y,,")) == no
        assert await attempt(channel=encode(b"n,a=bob,")) == no
        assert await attempt(plus=True, data=b"\0" * 32) == no
        assert await attempt(plus=True, channel=encode(b"n,,")) == no
        assert await attempt(plus=True, channel=encode(binding.encode())) == no
        assert await attempt(plus=True, gs2="p=tls-exporter,,") == no


async def challenges(preset):
    """Rows 25, 57: the server's nonce extends the client's by something new, iterations are many, and the hash
    of what was offered (XEP-0474) gives away a list that was shortened on the way."""
    cluster = PLAIN.up(preset)
    nonces = set()
    for _ in range(20):
        client = await fresh(cluster)
        _, text = await ask(client, auth("SCRAM-SHA-256", b"n,,n=alice,r=abcdefgh"))
        challenge = fields(text)
        assert challenge["r"].startswith("abcdefgh") and int(challenge["i"]) >= 4096, text
        nonces.add(challenge["r"])
        types = [e.get("type") for e in client.features.iter("{urn:xmpp:sasl-cb:0}channel-binding")]
        offered = "\x1f".join("\x1e".join(sorted(names)) for names in (client.mechanisms(), types))
        assert challenge["h"] == encode(hashlib.sha256(offered.encode()).digest()), text
        client.abort()
    assert len(nonces) == 20 and all(len(n) >= 8 + 22 for n in nonces), nonces


def few_iterations(preset):
    """Row 25: fewer than RFC 7677 §4 asks for cannot be configured."""
    cluster = PLAIN.up(preset)
    command = [build.binary(preset, "business"), "--config", f"{cluster.data}/config/business-1.yaml",
               "--check-config", "--set"]
    check = lambda value: subprocess.run([*command, f"auth.scram_iterations={value}"], capture_output=True,
                                         text=True, check=False)
    assert check(4096).returncode == 0
    result = check(4095)
    assert result.returncode == 2 and "scram_iterations" in result.stderr, result


async def unknown_user(preset):
    """Row 26: same steps, same error, and a salt that does not change."""
    cluster = PLAIN.up(preset)
    salts = {}
    for user in ("alice", "nobody-here", "nobody-here", "nobody-there"):
        client = await fresh(cluster)
        kind, text = await ask(client, auth("SCRAM-SHA-256", f"n,,n={user},r=abcdefghijk".encode()))
        assert kind == "challenge", (user, text)
        salts.setdefault(user, set()).add((len(fields(text)["s"]), fields(text)["i"], fields(text)["s"]))
        client.abort()
        for mechanism in ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            client = await fresh(cluster)
            if mechanism == "PLAIN":
                got = await ask(client, auth("PLAIN", f"\0{user}\0wrong".encode()))
            else:
                got = await exchange(client, Crooked(user, "wrong", mechanism=mechanism), mechanism)
            assert got == ("failure", "not-authorized"), (user, mechanism, got)
            client.abort()
    assert len(salts["nobody-here"]) == 1 and salts["nobody-here"] != salts["nobody-there"], salts
    assert len({salt[:2] for one in salts.values() for salt in one}) == 1, salts


async def same_time(preset):
    """Row 26: an unknown user takes as long as a wrong password; hashing one takes milliseconds."""
    cluster = PLAIN.up(preset)
    took = {"alice": [], "nobody-here": []}
    for _ in range(12):
        for user, times in took.items():
            client = await proxied(cluster, next(SOURCES))
            begin = time.monotonic()
            assert await ask(client, auth("PLAIN", f"\0{user}\0wrong".encode())) == ("failure", "not-authorized")
            times.append(time.monotonic() - begin)
            client.abort()
    known, unknown = (statistics.median(times) for times in took.values())
    assert 0.5 < unknown / known < 2, (known, unknown)


async def too_many_failures(preset):
    """Row 27: five attempts (RFC 6120 §6.4.5 allows two to five), whatever was wrong with them."""
    cluster = PLAIN.up(preset)
    wrong = auth("PLAIN", b"\0alice\0wrong")
    for attempts in ([wrong] * 5, [wrong, auth("X-NONE", b""), auth("PLAIN", "!!!"), auth("PLAIN", b"x"), wrong],
                     [f"<abort xmlns='{SASL_NS}'/>"] * 5):
        client = await fresh(cluster)
        for attempt in attempts:
            assert (await ask(client, attempt))[0] == "failure"
        assert await stream_error(client) == "policy-violation"
        client.abort()
    client = await fresh(cluster)
    for _ in range(4):
        assert await ask(client, wrong) == ("failure", "not-authorized")
    assert (await ask(client, auth("PLAIN", f"\0alice\0{cluster.users['alice']}".encode())))[0] == "success"
    client.abort()


async def pipelined_guesses(preset):
    """Row 27: guesses sent at once are not more guesses."""
    cluster = PLAIN.up(preset)
    client = await fresh(cluster)
    client.send(auth("PLAIN", b"\0alice\0wrong") * 40)
    failures = 0
    try:
        while True:
            element = await client.next()
            failures += local(element.tag) == "failure"
            condition = local(element[0].tag)
    except StreamClosed as closed:
        assert (failures, closed.condition) == (5, "policy-violation"), (failures, closed, condition)
    client.abort()


async def guessers_wait(preset):
    """Row 27: who failed often waits, right or wrong; nobody else does, and the account is not locked."""
    cluster = LIMITED.up(preset)
    guesser, other = next(SOURCES), next(SOURCES)
    right = auth("PLAIN", f"\0alice\0{cluster.users['alice']}".encode())
    wrong = auth("PLAIN", b"\0alice\0wrong")

    async def one(source, element):
        client = await proxied(cluster, source)
        begin = time.monotonic()
        kind, _ = await ask(client, element)
        client.abort()
        return kind, time.monotonic() - begin
    for _ in range(8):
        kind, _ = await one(guesser, wrong)
        assert kind == "failure"
    for element, expected in ((wrong, "failure"), (right, "success")):
        kind, seconds = await one(guesser, element)
        assert kind == expected and seconds > 0.65, (kind, seconds)
        kind, seconds = await one(other, element)
        assert kind == expected and seconds < 0.65, (kind, seconds)
    # Beside each other they wait beside each other: nobody else's login stands behind them.
    begin = time.monotonic()
    kinds = await asyncio.gather(*(one(guesser, wrong) for _ in range(5)), one(other, right))
    assert kinds[-1][0] == "success" and kinds[-1][1] < 0.65 and time.monotonic() - begin < 3, kinds


async def channel_binding_offered(preset):
    """XEP-0440; the strongest first, PLAIN last."""
    cluster = PLAIN.up(preset)
    client = await fresh(cluster)
    mechanisms = client.mechanisms()
    assert mechanisms[0].endswith("-PLUS") and mechanisms[-1] == "PLAIN", mechanisms
    types = [e.get("type") for e in client.features.iter("{urn:xmpp:sasl-cb:0}channel-binding")]
    assert set(types) == {"tls-exporter", "tls-server-end-point"}, ET.tostring(client.features)
    client.abort()


TESTS = {
    **{f"row {row}: {name}": refused(mechanism, data, condition) for row, name, mechanism, data, condition in FAILURES},
    "row 23: malformed second message": malformed_final,
    "row 24: another account": another_account,
    "row 25: liars": liars,
    "row 25: challenges": challenges,
    "row 25: few iterations": few_iterations,
    "row 26: unknown user": unknown_user,
    "row 26: the same time": same_time,
    "row 27: too many failures": too_many_failures,
    "row 27: pipelined guesses": pipelined_guesses,
    "row 27: guessers wait": guessers_wait,
    "XEP-0440: channel bindings are advertised": channel_binding_offered,
}
