"""Client programs as people: who add each other, see who is there, chat, and look up the history elsewhere."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time

from scripted import E2E, Scripted


class Person(Scripted):
    """A client library as a person (tests/e2e/person_slixmpp.py says what it is told, and tells)."""

    def __init__(self, jid, command, environment=None):
        super().__init__(jid, command, environment)
        self.jid, self.events = jid, []

    async def start(self):
        await self.spawn()
        await self.expect(event="online")
        return self

    async def expect(self, timeout=30, **wanted):
        """The first event, of those that came and were not expected yet, that has these values."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self.events:
                if all(event.get(key) == value for key, value in wanted.items()):
                    self.events.remove(event)
                    return event
                assert event["event"] != "error", (self.name, event)
            try:
                self.events.append(await self.read(deadline - time.monotonic()))
            except asyncio.TimeoutError:
                raise AssertionError(f"{self.name}: no {wanted} within {timeout} s; got {self.events}") from None

    async def history(self, contact):
        self.order(history=contact)
        return (await self.expect(event="history"))["bodies"]


def slixmpp(jid, password, port, ca, resource):
    return Person(jid, ["/usr/bin/python3", os.path.join(E2E, "person_slixmpp.py"), "127.0.0.1", str(port),
                          f"{jid}/{resource}", password, ca])


def xmpp_js(jid, password, port, ca, resource):
    name, _, domain = jid.partition("@")
    return Person(jid, ["node", os.path.join(E2E, "node", "person.js"), f"xmpp://127.0.0.1:{port}", domain, name,
                          password, resource], {"NODE_EXTRA_CA_CERTS": ca})


class Terminal:
    """A program in a tmux of its own: typed into, and read off its screen."""

    def __init__(self, command, environment, size=(120, 36)):
        self.socket = os.path.join(tempfile.mkdtemp(prefix="xylem-tmux-"), "socket")
        assignments = [f"{key}={value}" for key, value in environment.items()]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(size[0]), "-y", str(size[1]),
                  shlex.join(["env", *assignments, *command]))

    def tmux(self, *arguments, check=True):
        return subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True,
                              check=check).stdout

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def screen(self):
        return self.tmux("capture-pane", "-p")

    async def see(self, pattern, timeout=30):
        """Waits until the screen shows the regular expression."""
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.screen()):
            assert time.monotonic() < deadline, f"not within {timeout} s: {pattern}\n{self.screen()}"
            await asyncio.sleep(0.1)

    def end(self):
        self.tmux("kill-server", check=False)
        shutil.rmtree(os.path.dirname(self.socket), ignore_errors=True)
