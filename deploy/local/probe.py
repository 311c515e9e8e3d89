"""A very small XMPP client: proves that a stanza crosses the cluster. SCRAM-SHA-256, direct TLS."""

import base64
import hashlib
import hmac
import re
import secrets
import socket
import ssl
import time


class Probe:
    """One login; raises OSError or ValueError with a sentence when the server says no."""

    def __init__(self, address, domain, user, password, ca, resource, timeout=10):
        host, _, port = address.rpartition(":")
        context = ssl.create_default_context(cafile=ca)
        context.set_alpn_protocols(["xmpp-client"])
        raw = socket.create_connection((host, int(port)), timeout=timeout)
        self.socket = context.wrap_socket(raw, server_hostname=domain)
        self.domain, self.buffer, self.timeout = domain, "", timeout
        self.login(user, password)
        self.open_stream()
        self.send(f"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                  f"<resource>{resource}</resource></bind></iq>")
        self.jid = self.expect(r"<jid>([^<]+)</jid>").group(1)
        self.send("<presence/>")

    def send(self, text):
        self.socket.sendall(text.encode())

    def expect(self, pattern):
        """Reads until `pattern` stands in the input; consumes up to its end."""
        deadline = time.monotonic() + self.timeout
        while True:
            found = re.search(pattern, self.buffer)
            if found:
                self.buffer = self.buffer[found.end():]
                return found
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            part = self.socket.recv(65536)
            if not part or time.monotonic() > deadline:
                raise ValueError(f"the server closed or was silent; last: {self.buffer[-200:]!r}")
            self.buffer += part.decode(errors="replace")

    def open_stream(self):
        self.send(f"<?xml version='1.0'?><stream:stream to='{self.domain}' version='1.0' xmlns='jabber:client' "
                  "xmlns:stream='http://etherx.jabber.org/streams'>")
        return self.expect(r"(?s)<stream:features>.*?</stream:features>|<stream:features/>").group(0)

    def login(self, user, password):
        self.open_stream()
        nonce = secrets.token_hex(12)
        bare = f"n={user},r={nonce}"
        first = base64.b64encode(("n,," + bare).encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>{first}</auth>")
        server_first = base64.b64decode(self.expect(r"<challenge[^>]*>([^<]+)</challenge>").group(1)).decode()
        fields = dict(part.split("=", 1) for part in server_first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c={base64.b64encode(b'n,,').decode()},r={fields['r']}"
        message = ",".join([bare, server_first, without_proof]).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
        final = base64.b64encode(f"{without_proof},p={proof}".encode()).decode()
        self.send(f"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{final}</response>")
        self.expect(r"<success[^>]*>")

    def close(self):
        try:
            self.send("</stream:stream>")
        finally:
            self.socket.close()


def cross(address, domain, ca, users, deadline=15):
    """A message from the first user to the second; returns the seconds the crossing itself took."""
    end = time.monotonic() + deadline
    while True:
        try:
            (name_a, password_a), (name_b, password_b) = users
            receiver = Probe(address, domain, name_b, password_b, ca, "probe-" + secrets.token_hex(4))
            sender = Probe(address, domain, name_a, password_a, ca, "probe-" + secrets.token_hex(4))
            token = secrets.token_hex(8)
            begin = time.monotonic()
            sender.send(f"<message type='chat' to='{receiver.jid}'><body>{token}</body></message>")
            receiver.expect(token)
            took = time.monotonic() - begin
            sender.close()
            receiver.close()
            return took
        except (OSError, ValueError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
