"""attacks.md rows 45, 54, 55, 57, 58: PROXY headers, logs, metacharacters, tokens, TLS."""

import asyncio
import json
import os
import re
import socket
import ssl
import struct
import subprocess

from attack import Field, alive, fresh, session
from xmpp import split_address

PACKAGES = ["openssl"]
FIELD = Field()
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_port(cluster, direct=False):
    """The manager's PROXY listener: not in `status`, since people have no business there."""
    path = os.path.join(cluster.data, "config", "connmgr-1.yaml")
    listeners = re.findall(r'- address: "127\.0\.0\.1:(\d+)"\n(?:\s+direct_tls: (true)\n)?\s+proxy: true',
                           open(path, encoding="utf-8").read())
    return int(next(port for port, tls in listeners if bool(tls) == direct))


async def talk(port, data, wait=6):
    """What comes back within `wait` seconds after `data`, and whether the other side closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    got = b""
    try:
        while True:
            part = await asyncio.wait_for(reader.read(4096), wait)
            if not part:
                return got, True
            got += part
            if b"features>" in got:
                return got, False
    except asyncio.TimeoutError:
        return got, False
    except ConnectionError:
        return got, True
    finally:
        writer.transport.abort()


HEADER = (b"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client' "
          b"xmlns:stream='http://etherx.jabber.org/streams'>")


def v2(command=0x21, family=0x11, body=None, length=None):
    if body is None:
        body = socket.inet_aton("192.0.2.7") + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, 5222)
    return V2 + bytes([command, family]) + struct.pack("!H", len(body) if length is None else length) + body


GOOD = {
    "v1": b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222\r\n",
    "v1, IPv6": b"PROXY TCP6 2001:db8::7 ::1 4711 5222\r\n",
    "v1 UNKNOWN": b"PROXY UNKNOWN\r\n",
    "v2": v2(),
    "v2 LOCAL": v2(command=0x20, family=0, body=b""),
    "v2 UNSPEC": v2(family=0, body=b""),
    "v2 with a TLV": v2(body=socket.inet_aton("192.0.2.7") + socket.inet_aton("127.0.0.1")
                        + struct.pack("!HH", 4711, 5222) + b"\x05\0\x04abcd"),
}
BAD = {
    "none at all": b"",
    "v1 over 107 bytes": b"PROXY TCP4 " + b"1" * 120 + b"\r\n",
    "v1 bad address": b"PROXY TCP4 999.0.2.7 127.0.0.1 4711 5222\r\n",
    "v1 bad port": b"PROXY TCP4 192.0.2.7 127.0.0.1 99999 5222\r\n",
    "v1 without CR": b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222\n",
    "v2 short addresses": v2(body=b"abc"),
    "v2 TLV over the end": v2(body=socket.inet_aton("192.0.2.7") * 2 + struct.pack("!HH", 1, 2) + b"\x05\xff\xff"),
    "v2 bad version": v2(command=0x31),
    "v2 bad command": v2(command=0x2F),
    "two headers": b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222\r\nPROXY TCP4 192.0.2.8 127.0.0.1 4711 5222\r\n",
}


async def proxy_good(preset):
    cluster = FIELD.up(preset)
    for name, header in GOOD.items():
        got, _ = await talk(proxy_port(cluster), header + HEADER)
        assert b"features>" in got, (name, got)


async def proxy_bad(preset):
    cluster = FIELD.up(preset)
    for name, header in BAD.items():
        got, closed = await talk(proxy_port(cluster), header + HEADER)
        assert closed, (name, got)
        # No word to somebody who is not the load balancer; two headers: the second is bad XML.
        assert not got or name == "two headers", (name, got)


async def proxy_slow(preset):
    cluster = FIELD.up(preset)
    got, closed = await talk(proxy_port(cluster), b"PROXY TCP4 192", wait=5)
    assert closed and not got


async def proxy_forged(preset):
    """A PROXY header on the listener without PROXY is no XML; whoever says it gets no stream."""
    cluster = FIELD.up(preset)
    got, closed = await talk(split_address(cluster.manager_address(1))[1], GOOD["v1"] + HEADER)
    assert closed and b"features" not in got and b"proceed" not in got, got


async def proxy_address_is_believed(preset):
    """The address of the header is what the session is said to come from."""
    cluster = FIELD.up(preset)
    client = await session(cluster)
    listed = json.loads(cluster.ctl("--json", "session", "list").stdout)["sessions"]
    assert any(s["jid"] == client.jid and s["peer_address"].startswith("127.0.0.1") for s in listed), listed
    await client.close()


def log_lines(cluster):
    for name in os.listdir(os.path.join(cluster.data, "logs")):
        if name.startswith(("connmgr", "business")):
            with open(os.path.join(cluster.data, "logs", name), encoding="utf-8") as text:
                yield from ((name, line) for line in text)


async def log_injection(preset):
    cluster = FIELD.up(preset)
    evil = ["al\u001bice", "alice\r\n{\"level\":\"error\"}", "\u202ealice", "x" * 100000, "${jndi:ldap://x}"]
    for user in evil:
        client = await fresh(cluster)
        try:
            await client.authenticate(user, "secret-that-must-not-be-logged", "PLAIN")
        except Exception:  # pylint: disable=broad-except
            pass
        client.abort()
    client = await session(cluster)
    client.send("<message to='nobody@localhost' id='log'><body>body-that-must-not-be-logged</body></message>")
    await client.ping()
    await client.close()
    for name, line in log_lines(cluster):
        assert len(line) < 8192, (name, line[:200])
        json.loads(line)
        assert "\x1b" not in line and "\u202e" not in line, (name, line)
        assert "must-not-be-logged" not in line, (name, line)


NAMES = ["a{b}c", "a*b", "a%b_c", "a;drop", "a--b", "a`b", "a$b", "a.b[c]", "a|b", "a\\20b", "{x}", "a(b)", "a?b"]


async def metacharacters(preset):
    """Row 55: what means something to Redis, SQL or a shell is a name like any other."""
    cluster = FIELD.up(preset)
    clients = []
    for name in NAMES:
        cluster.add_user(name)
        client = await session(cluster, name, manager=1 + len(clients) % 2, resource="r*{}:\u2603%_'", presence=True)
        await client.ping()
        clients.append(client)
    for i, client in enumerate(clients):
        other = clients[(i + 1) % len(clients)]
        target = other.jid.replace("&", "&amp;").replace('"', "&quot;")
        client.send(f'<message to="{target}" type="chat" id="mc{i}"><body>hi</body></message>')
        element = await other.next()
        assert element.get("id") == f"mc{i}" and element.get("from") == client.jid, (client.jid, element.attrib)
    users = json.loads(cluster.ctl("--json", "user", "list").stdout)["users"]
    assert {f"{n}@localhost" for n in NAMES} <= {u["jid"] for u in users}
    await asyncio.gather(*(c.close() for c in clients))
    await alive(cluster)


async def stream_ids(preset):
    """Row 57: stream ids and sessions are not to be guessed."""
    cluster = FIELD.up(preset)
    ids = set()
    for _ in range(20):
        client = await fresh(cluster)
        ids.add(client.root.get("id"))
        client.abort()
    assert len(ids) == 20 and all(len(i) >= 20 for i in ids), ids


def s_client(cluster, *flags):
    return subprocess.run(["openssl", "s_client", "-connect", cluster.manager_address(1, "c2s_tls"), *flags],
                          input="", capture_output=True, text=True, timeout=20, check=False)


async def tls_versions(preset):
    cluster = FIELD.up(preset)
    weak = ("-cipher", "ALL:@SECLEVEL=0")
    for flags in (("-tls1", *weak), ("-tls1_1", *weak), ("-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"),
                  ("-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0")):
        result = s_client(cluster, "-alpn", "xmpp-client", "-servername", "localhost", *flags)
        assert result.returncode != 0 or "Cipher is (NONE)" in result.stdout, (flags, result.stdout[-300:])
    for flags in (("-tls1_2",), ("-tls1_3",)):
        result = s_client(cluster, "-alpn", "xmpp-client", "-servername", "localhost", *flags)
        assert "ALPN protocol: xmpp-client" in result.stdout, result.stdout[-500:]
        assert "Compression: NONE" in result.stdout
        assert "Max Early Data: 0" in result.stdout or "tls1_2" in flags[0] or "Early data was not sent" in result.stdout


async def tls_foreign_alpn(preset):
    cluster = FIELD.up(preset)
    result = s_client(cluster, "-alpn", "h2", "-servername", "localhost")
    assert "ALPN protocol: h2" not in result.stdout and (result.returncode != 0 or "alert" in result.stderr), result


async def tls_renegotiation(preset):
    cluster = FIELD.up(preset)
    host, port = split_address(cluster.manager_address(1, "c2s_tls"))
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2", "-alpn", "xmpp-client", "-legacy_renegotiation",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    process.stdin.write(b"R\n")
    output = (await asyncio.wait_for(process.communicate(), 20))[0].decode(errors="replace")
    assert "no renegotiation" in output or "alert" in output or process.returncode != 0, output[-500:]


async def tls_resumes_anywhere(preset):
    """Ticket keys are shared: a TLS session of one manager resumes on the other."""
    cluster = FIELD.up(preset)
    context = ssl.create_default_context(cafile=cluster.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["xmpp-client"])

    def connect(number, session_to_resume=None):
        host, port = split_address(cluster.manager_address(number, "c2s_tls"))
        with socket.create_connection((host, port), timeout=5) as raw:
            with context.wrap_socket(raw, server_hostname="localhost", session=session_to_resume) as tls:
                return tls.session, tls.session_reused
    first, _ = await asyncio.to_thread(connect, 1)
    _, reused = await asyncio.to_thread(connect, 2, first)
    assert reused


async def channel_binding_offered(preset):
    cluster = FIELD.up(preset)
    client = await fresh(cluster)
    mechanisms = client.mechanisms()
    assert mechanisms[0].endswith("-PLUS") and mechanisms[-1] == "PLAIN", mechanisms
    types = [e.get("type") for e in client.features.iter("{urn:xmpp:sasl-cb:0}channel-binding")]
    assert set(types) == {"tls-exporter", "tls-server-end-point"}, types
    client.abort()


TESTS = {
    "row 45: good PROXY headers": proxy_good,
    "row 45: bad PROXY headers": proxy_bad,
    "row 45: slow PROXY header": proxy_slow,
    "row 45: PROXY header where none belongs": proxy_forged,
    "row 45: the address is known": proxy_address_is_believed,
    "row 54: logs": log_injection,
    "row 55: metacharacters": metacharacters,
    "row 57: stream ids": stream_ids,
    "row 58: TLS versions and suites": tls_versions,
    "row 58: foreign ALPN": tls_foreign_alpn,
    "row 58: renegotiation": tls_renegotiation,
    "TLS sessions resume on any manager": tls_resumes_anywhere,
    "XEP-0440: channel bindings are advertised": channel_binding_offered,
}
