"""A client with stream management (XEP-0198) for tests: it counts, answers, and resumes by itself."""

import asyncio
import collections
import random
import time
import xml.etree.ElementTree as ET

from xmpp import AuthFailure, CLIENT, Client, StreamClosed, local

SM = "{urn:xmpp:sm:3}"
STANZAS = (CLIENT + "message", CLIENT + "presence", CLIENT + "iq")


class ResumptionFailed(Exception):
    """<failed/>: its condition, and h if the server still knew it."""

    def __init__(self, condition, h=None):
        super().__init__(f"{condition} (h {h})")
        self.condition, self.h = condition, h


class ManagedClient:
    """One session over several connections. `stanzas` has what came, in order, each once as the session
    counts it; `on_stanza` is called instead, when set."""

    def __init__(self, domain="localhost", ca=None):
        self.domain, self.ca = domain, ca
        self.client = None
        self.jid, self.previd, self.location = "", "", ""
        self.user = self.password = ""
        self.handled = 0  # stanzas received since <enabled/>, as h
        self.sent = 0     # stanzas sent, as the server's h counts
        self.unconfirmed = collections.deque()  # (number, text)
        self.resumed = asyncio.Event()
        self.resumed.set()
        self.stanzas = asyncio.Queue()
        self.on_stanza = None
        self.answers_requests = True
        self.reply = None
        self.closed = None  # what ended the session, not only a connection
        self.resumed_after = []  # seconds without a connection, of each time
        self.keeper = None

    @property
    def up(self):
        return self.client is not None and self.client.closed is None and not self.client.task.done()

    def receive(self, element):
        if element.tag in STANZAS:
            self.handled = (self.handled + 1) % 2**32
            if self.on_stanza is not None:
                self.on_stanza(element)
            else:
                self.stanzas.put_nowait(element)
        elif element.tag == SM + "r":
            if self.answers_requests:
                self.confirm()
        elif element.tag == SM + "a":
            self.confirmed(int(element.get("h")))
        elif self.reply is not None and not self.reply.done():
            self.reply.set_result(element)

    def confirm(self):
        self.client.send(f"<a xmlns='urn:xmpp:sm:3' h='{self.handled}'/>")

    def confirmed(self, h):
        assert (self.sent - h) % 2**32 <= len(self.unconfirmed), (h, self.sent, len(self.unconfirmed))
        while (self.sent - h) % 2**32 < len(self.unconfirmed):
            self.unconfirmed.popleft()

    async def ask(self, client, text, timeout=20):
        """Sends, and waits for what is neither stanza nor count; or for the end of the stream."""
        self.reply = asyncio.get_running_loop().create_future()
        client.send(text)
        await asyncio.wait([self.reply, client.task], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self.reply.done():
            return self.reply.result()
        raise client.closed or asyncio.TimeoutError(text)

    async def authenticated(self, address, tls="direct"):
        client = Client(address, self.domain, self.ca)
        await client.connect(tls)
        await client.authenticate(self.user, self.password)
        return client

    async def login(self, address, user, password, resource="", presence=True, resume=True, maximum=None):
        self.user, self.password = user, password
        client = await self.authenticated(address)
        await client.bind(resource)
        self.client, self.jid = client, client.jid
        self.handled = self.sent = 0
        self.unconfirmed.clear()
        client.on_stanza = self.receive
        wish = (" resume='true'" if resume else "") + (f" max='{maximum}'" if maximum is not None else "")
        enabled = await self.ask(client, f"<enable xmlns='urn:xmpp:sm:3'{wish}/>")
        assert enabled.tag == SM + "enabled", ET.tostring(enabled)
        self.previd, self.location = enabled.get("id", ""), enabled.get("location", "")
        if presence:
            self.send("<presence/>")
        return self

    def send(self, text):
        """Exactly one stanza."""
        self.sent = (self.sent + 1) % 2**32
        self.unconfirmed.append(text)
        if self.up and self.resumed.is_set():
            self.client.send(text)

    async def resume(self, address, h=None):
        """On another connection; what was not confirmed is sent again. Raises ResumptionFailed, or
        StreamClosed. `h` to lie about what came."""
        self.drop()
        client = await self.authenticated(address)
        client.jid, client.on_stanza = self.jid, self.receive
        count = self.handled if h is None else h
        self.client = client
        self.resumed.clear()  # what is said meanwhile goes behind what is sent again
        reply = await self.ask(client, f"<resume xmlns='urn:xmpp:sm:3' previd='{self.previd}' h='{count}'/>")
        if reply.tag == SM + "failed":
            raise ResumptionFailed(local(reply[0].tag) if len(reply) else "", reply.get("h"))
        assert reply.tag == SM + "resumed" and reply.get("previd") == self.previd, ET.tostring(reply)
        self.confirmed(int(reply.get("h")))
        for text in list(self.unconfirmed):
            client.send(text)
        self.resumed.set()
        return self

    def keep(self, addresses, jitter=2.0, patience=60):
        """From now on comes back by itself, somewhere, each time it loses its connection."""
        self.keeper = asyncio.get_running_loop().create_task(self.keep_up(addresses, jitter, patience))

    async def keep_up(self, addresses, jitter, patience):
        while True:
            await asyncio.wait([self.client.task])
            lost = time.monotonic()
            await asyncio.sleep(random.uniform(0, jitter))
            while True:
                try:
                    await self.resume(random.choice(addresses))
                    break
                except (StreamClosed, OSError, asyncio.TimeoutError, AuthFailure, AssertionError) as error:
                    if time.monotonic() - lost > patience:
                        self.closed = error
                        return
                    await asyncio.sleep(0.2)
                except ResumptionFailed as error:
                    self.closed = error
                    return
            self.resumed_after.append(time.monotonic() - lost)

    async def all_confirmed(self, timeout=20):
        """The server confirms all that was sent."""
        deadline = asyncio.get_running_loop().time() + timeout
        while self.unconfirmed:
            if self.closed:
                raise self.closed
            if self.up and self.resumed.is_set():
                self.client.send("<r xmlns='urn:xmpp:sm:3'/>")
            await asyncio.sleep(0.05)
            assert asyncio.get_running_loop().time() < deadline, f"{len(self.unconfirmed)} are not confirmed"

    async def next(self, timeout=10):
        return await asyncio.wait_for(self.stanzas.get(), timeout)

    async def end(self, timeout=20):
        """Waits until the stream is over; gives its condition."""
        await asyncio.wait([self.client.task], timeout=timeout)
        if self.client.closed is None:
            raise asyncio.TimeoutError("the stream did not end")
        return self.client.closed.condition

    def drop(self):
        """Loses the socket without a word."""
        if self.client is not None:
            self.client.abort()

    async def close(self):
        if self.keeper is not None:
            self.keeper.cancel()
        if self.client is not None:
            await self.client.close()


__all__ = ["ManagedClient", "ResumptionFailed", "StreamClosed", "SM"]
