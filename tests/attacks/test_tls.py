"""Row 58: TLS."""

import asyncio
import os
import re
import socket
import ssl
import subprocess

from attack import PLAIN, address, alive
from cluster import eventually
from xmpp import Client, StreamClosed, local, split_address

PACKAGES = ["openssl"]


def context_of(cluster, **attributes):
    context = ssl.create_default_context(cafile=cluster.ca)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["xmpp-client"])
    for name, value in attributes.items():
        setattr(context, name, value)
    return context


def handshake(cluster, context, name="localhost", number=1, session=None):
    """The established socket's (version, cipher, session, reused); ssl.SSLError or OSError where refused."""
    with socket.create_connection(split_address(address(cluster, number)), timeout=5) as raw:
        with context.wrap_socket(raw, server_hostname=name, session=session) as tls:
            return tls.version(), tls.cipher()[0], tls.session, tls.session_reused


def refuses(cluster, context):
    try:
        return not handshake(cluster, context)
    except (ssl.SSLError, OSError):
        return True


def old_versions(preset):
    """RFC 7590 §3.1, RFC 8996: nothing below 1.2, whatever else the client can bear."""
    cluster = PLAIN.up(preset)
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        context = context_of(cluster, minimum_version=old, maximum_version=old)
        context.set_ciphers("ALL:@SECLEVEL=0")
        assert refuses(cluster, context), old
    for new, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        got = handshake(cluster, context_of(cluster, minimum_version=new, maximum_version=new))
        assert got[0] == name, got


def weak_suites(preset):
    """RFC 9325 §4.2: forward secrecy and AEAD or no handshake, tried with each suite that OpenSSL has."""
    cluster = PLAIN.up(preset)
    every = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    every.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    names = [c["name"] for c in every.get_ciphers() if c["protocol"] != "TLSv1.3"]
    taken = set()
    for name in names:
        context = context_of(cluster, maximum_version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(f"{name}:@SECLEVEL=0")
        if not refuses(cluster, context):
            taken.add(name)
    assert taken == {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                     "ECDHE-ECDSA-CHACHA20-POLY1305"}, taken
    assert "ECDHE-ECDSA-AES128-SHA" in names and "AECDH-NULL-SHA" in names, names


def s_client(cluster, *flags, sent=""):
    return subprocess.run(["openssl", "s_client", "-connect", address(cluster), "-alpn", "xmpp-client", *flags],
                          input=sent, capture_output=True, text=True, timeout=20, check=False)


def no_compression(preset):
    """Nor in the handshake (row 43; CRIME)."""
    cluster = PLAIN.up(preset)
    for version in ("-tls1_2", "-tls1_3"):
        result = s_client(cluster, version, "-comp")
        assert "Compression: NONE" in result.stdout and "ALPN protocol: xmpp-client" in result.stdout, result.stdout


async def no_renegotiation(preset):
    """A client that asks for one is told no, and gets nothing more than that."""
    cluster = PLAIN.up(preset)
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", address(cluster), "-tls1_2", "-alpn", "xmpp-client", "-msg",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    output = ""
    while "Verify return code" not in output:
        output += (await asyncio.wait_for(process.stdout.read(4096), 10)).decode(errors="replace")
    process.stdin.write(b"R\n")
    await process.stdin.drain()
    output = (await asyncio.wait_for(process.stdout.read(-1), 20)).decode(errors="replace")
    await process.wait()
    assert "RENEGOTIATING" in output and "no_renegotiation" in output and "ServerHello" not in output, output
    await alive(cluster)


async def no_early_data(preset):
    """No 0-RTT: the ticket allows none, and what is sent early all the same is not read."""
    cluster = PLAIN.up(preset)
    path, early = os.path.join(cluster.data, "tls-session.pem"), os.path.join(cluster.data, "early")
    first = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", address(cluster), "-tls1_3", "-alpn", "xmpp-client", "-sess_out", path,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    first.stdin.write(Client("").header().encode())  # the ticket leaves with the answer
    await first.stdin.drain()
    await eventually(lambda: os.path.exists(path), "a session ticket comes")
    await first.communicate(b"")
    text = subprocess.run(["openssl", "sess_id", "-in", path, "-noout", "-text"], capture_output=True, text=True,
                          check=True).stdout
    assert re.search(r"Max Early Data: 0\b", text), text
    with open(early, "w", encoding="utf-8") as out:
        out.write(Client("").header())
    result = s_client(cluster, "-tls1_3", "-sess_in", path, "-early_data", early)
    assert "Reused, TLSv1.3" in result.stdout, result.stdout
    assert "Early data was not sent" in result.stdout and "features" not in result.stdout, result.stdout


async def foreign_name(preset):
    """SNI of a host that is not served: `host-unknown`, for direct TLS and STARTTLS, whatever `to` says."""
    cluster = PLAIN.up(preset)

    async def one(tls, name, to):
        client = Client(address(cluster, 1, "c2s_tls" if tls == "direct" else "c2s"), name, None)
        if tls == "direct":
            await client.connect("direct", header=False)
        else:
            client.domain = cluster.domain
            await client.connect(None)
            client.domain = name
            client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            assert local((await client.next()).tag) == "proceed"
            await client.stop_reading()
            await client.writer.start_tls(client.tls_context(), server_hostname=name)
            client.restart_parser()
            client.task = asyncio.get_running_loop().create_task(client.read())
        client.send(client.header(to))
        await client.next()
        element = await client.next()
        client.abort()
        return local(element[0].tag) if local(element.tag) == "error" else local(element.tag)
    for tls in ("direct", "starttls"):
        for name in ("foreign.example", "localhost.foreign.example", "xn--a.example"):
            assert await one(tls, name, "localhost") == "host-unknown", (tls, name)
        assert await one(tls, "foreign.example", "foreign.example") == "host-unknown"
        for name in ("localhost", "LOCALHOST"):
            assert await one(tls, name, "localhost") == "features", (tls, name)
            assert await one(tls, name, "foreign.example") == "host-unknown", (tls, name)


def foreign_alpn(preset):
    """RFC 7301 §3.2, XEP-0368: another protocol ends the handshake (ALPACA); none at all is a client of old."""
    cluster = PLAIN.up(preset)
    for protocols in (["h2"], ["http/1.1"], ["xmpp-server"], ["ftp", "smtp"]):
        context = context_of(cluster)
        context.set_alpn_protocols(protocols)
        assert refuses(cluster, context), protocols
    context = context_of(cluster)
    context.set_alpn_protocols(["h2", "xmpp-client"])
    assert not refuses(cluster, context)
    assert not refuses(cluster, ssl._create_unverified_context())  # pylint: disable=protected-access


async def no_tls_at_all(preset):
    """Plain words on the port of direct TLS, and broken records, are answered with nothing readable."""
    cluster = PLAIN.up(preset)
    for said in (Client("").header().encode(), b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\0\2" + bytes(41),
                 b"\x16\x03\x01\xff\xff" + bytes(100), bytes(64), b"\x15\x03\x03\0\2\2\x28"):
        reader, writer = await asyncio.open_connection(*split_address(address(cluster)))
        writer.write(said)
        writer.write_eof()
        try:
            got = await asyncio.wait_for(reader.read(), 10)
        except ConnectionError:
            got = b""
        assert b"stream" not in got and len(got) < 16, (said, got)
        writer.close()
    client = Client(address(cluster), cluster.domain, cluster.ca)
    await client.connect("direct")
    raw = client.writer.transport._ssl_protocol._transport  # pylint: disable=protected-access
    raw.write(b"\x17\x03\x03\0\x20" + bytes(32))  # a record that nobody encrypted
    try:
        element = await client.next()
        raise AssertionError(element.tag)
    except StreamClosed as closed:
        assert closed.condition == "", closed
    client.abort()
    await alive(cluster)


def resumes_anywhere(preset):
    """Ticket keys are shared: a TLS session of one manager resumes on the other. A forged ticket does not."""
    cluster = PLAIN.up(preset)
    context = context_of(cluster, maximum_version=ssl.TLSVersion.TLSv1_2)
    first = handshake(cluster, context)
    assert not first[3]
    assert handshake(cluster, context, number=2, session=first[2])[3]


TESTS = {
    "row 58: old versions": old_versions,
    "row 58: weak suites": weak_suites,
    "row 58: compression": no_compression,
    "row 58: renegotiation": no_renegotiation,
    "row 58: early data": no_early_data,
    "row 58: SNI of a foreign host": foreign_name,
    "row 58: foreign ALPN": foreign_alpn,
    "row 58: no TLS at all": no_tls_at_all,
    "TLS sessions resume on any manager": resumes_anywhere,
}
