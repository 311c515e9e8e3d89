"""A raw XMPP client for tests: shows every stanza as it came, hides nothing, helps little."""

import asyncio
import base64
import functools
import hashlib
import hmac
import itertools
import secrets
import socket
import ssl
import xml.etree.ElementTree as ET

CLIENT = "{jabber:client}"
STREAMS = "{http://etherx.jabber.org/streams}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
TLS = "{urn:ietf:params:xml:ns:xmpp-tls}"
BIND = "{urn:ietf:params:xml:ns:xmpp-bind}"


class StreamClosed(Exception):
    """The stream ended; `condition` is the stream error's name or '' when there was none."""

    def __init__(self, condition=""):
        super().__init__(f"stream closed ({condition or 'no error'})")
        self.condition = condition


class AuthFailure(Exception):
    """SASL <failure/>; `condition` is its first child's name."""

    def __init__(self, condition):
        super().__init__(condition)
        self.condition = condition


def local(tag):
    return tag.rpartition("}")[2]


def split_address(address):
    host, _, port = address.rpartition(":")
    return host, int(port)


@functools.lru_cache(maxsize=None)
def salted_password(name, password, salt, iterations):
    return hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations)


class Scram:
    """Client side of SCRAM without channel binding (RFC 5802)."""

    HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}

    def __init__(self, mechanism, user, password):
        self.name, self.password = self.HASHES[mechanism], password
        self.bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={secrets.token_hex(12)}"
        self.server_signature = b""

    def first(self):
        return ("n,," + self.bare).encode()

    def final(self, server_first):
        fields = dict(part.split("=", 1) for part in server_first.decode().split(","))
        salted = salted_password(self.name, self.password, base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", self.name)
        without_proof = f"c=biws,r={fields['r']}"
        message = ",".join([self.bare, server_first.decode(), without_proof]).encode()
        signature = hmac.digest(hashlib.new(self.name, client_key).digest(), message, self.name)
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", self.name), message, self.name)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
        return f"{without_proof},p={proof}".encode()


class Client:
    """One connection. `received` keeps every first-level element in order."""

    def __init__(self, address, domain="localhost", ca=None, source=None):
        self.address, self.domain, self.ca, self.source = address, domain, ca, source
        self.reader = self.writer = self.parser = None
        self.depth, self.root = 0, None
        self.inbox = asyncio.Queue()
        self.closed = None  # StreamClosed once the stream ended
        self.features = None
        self.jid = ""
        self.task = None
        self.on_stanza = None  # called instead of queueing, when set
        self.ids = itertools.count(1)

    # --- bytes and elements

    def tls_context(self):
        context = ssl.create_default_context(cafile=self.ca)
        if self.ca is None:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    async def connect(self, tls="starttls", header=True):
        """`tls`: "starttls", "direct" (XEP-0368) or None."""
        host, port = split_address(self.address)
        arguments = {}
        if tls == "direct":
            context = self.tls_context()
            context.set_alpn_protocols(["xmpp-client"])
            arguments = {"ssl": context, "server_hostname": self.domain}
        if self.source:
            arguments["local_addr"] = (self.source, 0)
        self.reader, self.writer = await asyncio.open_connection(host, port, limit=1 << 20, **arguments)
        self.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.restart_parser()
        self.task = asyncio.get_running_loop().create_task(self.read())
        if not header:
            return
        await self.open_stream()
        if tls == "starttls":
            await self.start_tls()

    async def start_tls(self):
        self.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        reply = await self.next()
        assert reply.tag == TLS + "proceed", reply.tag
        await self.stop_reading()
        await self.writer.start_tls(self.tls_context(), server_hostname=self.domain)
        self.restart_parser()
        self.task = asyncio.get_running_loop().create_task(self.read())
        await self.open_stream()

    def restart_parser(self):
        self.parser = ET.XMLPullParser(["start", "end"])
        self.depth, self.root = 0, None

    async def stop_reading(self):
        self.task.cancel()
        try:
            await self.task
        except asyncio.CancelledError:
            pass

    async def read(self):
        error = ""
        try:
            while True:
                data = await self.reader.read(65536)
                if not data:
                    break
                self.parser.feed(data)
                for event, element in self.parser.read_events():
                    if event == "start":
                        self.depth += 1
                        if self.depth == 1:
                            self.root = element
                            self.inbox.put_nowait(element)
                        continue
                    self.depth -= 1
                    if self.depth == 0:
                        break
                    if self.depth == 1:
                        self.root.remove(element)
                        if element.tag == STREAMS + "error":
                            error = local(element[0].tag)
                        elif self.on_stanza is not None and self.features is not None and self.jid:
                            self.on_stanza(element)
                            continue
                        self.inbox.put_nowait(element)
        except (ConnectionError, ssl.SSLError, OSError, ET.ParseError):
            pass
        except asyncio.CancelledError:
            return  # STARTTLS takes the stream over
        self.closed = StreamClosed(error)
        self.inbox.put_nowait(None)

    def send(self, data):
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def next(self, timeout=10):
        """The next first-level element; raises StreamClosed at the end of the stream."""
        element = await asyncio.wait_for(self.inbox.get(), timeout)
        if element is None:
            self.inbox.put_nowait(None)
            raise self.closed
        return element

    # --- negotiation

    def header(self, to=None):
        return (f"<?xml version='1.0'?><stream:stream to='{to or self.domain}' version='1.0' "
                "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>")

    async def open_stream(self):
        self.features = None
        self.send(self.header())
        root = await self.next()
        assert root.tag == STREAMS + "stream", root.tag
        features = await self.next()
        if features.tag == STREAMS + "error":
            await self.next()
        assert features.tag == STREAMS + "features", features.tag
        self.features = features

    def mechanisms(self):
        return [m.text for m in self.features.iter(SASL + "mechanism")]

    async def authenticate(self, user, password, mechanism="SCRAM-SHA-256"):
        if mechanism == "PLAIN":
            initial = f"\0{user}\0{password}".encode()
            scram = None
        else:
            scram = Scram(mechanism, user, password)
            initial = scram.first()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>"
                  f"{base64.b64encode(initial).decode()}</auth>")
        while True:
            reply = await self.next(30)
            name = local(reply.tag)
            if name == "challenge":
                answer = scram.final(base64.b64decode(reply.text))
                self.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
                          f"{base64.b64encode(answer).decode()}</response>")
            elif name == "success":
                if scram:
                    assert base64.b64decode(reply.text) == b"v=" + base64.b64encode(scram.server_signature)
                break
            elif name == "failure":
                raise AuthFailure(local(reply[0].tag))
            else:
                raise AssertionError(ET.tostring(reply))
        self.restart_parser()
        await self.open_stream()

    async def bind(self, resource=""):
        inner = f"<resource>{resource}</resource>" if resource else ""
        self.send(f"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{inner}</bind></iq>")
        reply = await self.next(30)
        if reply.get("type") != "result":
            raise AssertionError(ET.tostring(reply).decode())
        self.jid = reply.find(f"{BIND}bind/{BIND}jid").text

    async def login(self, user, password, resource="", tls="starttls", mechanism="SCRAM-SHA-256", presence=True):
        await self.connect(tls)
        await self.authenticate(user, password, mechanism)
        await self.bind(resource)
        if presence:
            self.send("<presence/>")
        return self

    async def ping(self, timeout=30):
        """A ping of the server. Its answer proves that everything sent before was dealt with."""
        ident = f"ping-{next(self.ids)}-{secrets.token_hex(3)}"
        self.send(f"<iq type='get' id='{ident}' to='{self.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
        skipped = []
        while True:
            element = await self.next(timeout)
            if element.tag == CLIENT + "iq" and element.get("id") == ident:
                return skipped
            skipped.append(element)

    async def close(self):
        """Ends the stream politely and waits for the other side's end."""
        if self.writer is None:
            return
        try:
            if self.closed is None:
                self.send("</stream:stream>")
                await asyncio.wait_for(asyncio.shield(self.task), 5)
        except (asyncio.TimeoutError, ConnectionError, OSError):
            pass
        self.abort()

    def abort(self):
        """Drops the socket without a word."""
        if self.task:
            self.task.cancel()
        if self.writer:
            self.writer.transport.abort()
