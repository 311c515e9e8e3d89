"""slixmpp as one side of a long conversation: it loses its connection, and resumes by its own means. Orders
and events are those of node/resume.js."""

import asyncio
import collections
import json
import sys

import slixmpp


class Unconfirmed(collections.deque):
    """COMPAT(slixmpp 1.8, 2023): it forgets what is not confirmed when it resumes; later versions do when they
    enable only."""

    def clear(self):
        pass


class Talk(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca, address):
        super().__init__(jid, password)
        self.ca_certs, self.entry, self.leaving = ca, address, False
        self.register_plugin("xep_0198")
        self["xep_0198"].unacked_queue = Unconfirmed()
        self.unsaid, self.in_session = [], False
        self.add_event_handler("sm_enabled", self.speak)
        self.add_event_handler("session_resumed", self.speak)
        self.add_event_handler("session_start", self.online)
        self.add_event_handler("session_resumed", lambda _: say(event="resumed"))
        self.add_event_handler("sm_failed", lambda _: say(event="not-resumed"))
        self.add_event_handler("message", self.message)
        self.add_event_handler("disconnected", self.again)
        self.add_event_handler("failed_auth", lambda _: say(event="error", text="authentication failed"))

    def dial(self):
        self.connect(self.entry, use_ssl=False, force_starttls=True)

    # What was sent and not confirmed the library keeps; what is sent while it has no session it does not.
    def speak(self, _=None):
        self.in_session = True
        while self.unsaid:
            self.send_message(**self.unsaid.pop(0))

    def again(self, _):
        self.in_session = False
        if not self.leaving:
            asyncio.get_running_loop().call_later(0.5, self.dial)

    async def online(self, _):
        self.send_presence()
        say(event="online", jid=str(self.boundjid.full))

    def message(self, stanza):
        if stanza["type"] == "error":
            say(event="stanza-error", text=str(stanza))
        else:
            say(event="message", body=stanza["body"])


def say(**event):
    print(json.dumps(event), flush=True)


async def main():
    host, port, jid, password, ca = sys.argv[1:]
    talk = Talk(jid + "/slix", password, ca, (host, int(port)))
    talk.dial()
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        order = json.loads(line or '{"quit": true}')
        if order.get("quit"):
            talk.leaving = True
            await talk.disconnect()
            return
        talk.unsaid.append({"mto": order["to"], "mbody": order["say"], "mtype": "chat"})
        if talk.in_session:
            talk.speak()


asyncio.run(main())
