"""slixmpp as a person: adds a contact, sees presence, chats, reads the history. Orders by lines of JSON on
standard input, events by lines of JSON on standard output; node/person.js is its like.

{"add": JID}               asks for his presence; whoever asks for ours gets it, and is asked back
{"say": text, "to": JID}
{"history": JID}           → {"event": "history", "bodies": […]} of what the archive has with him
{"quit": true}
"""

import asyncio
import json
import sys

import slixmpp


class Person(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca):
        super().__init__(jid, password)
        self.ca_certs = ca
        self.auto_authorize = self.auto_subscribe = True
        self.register_plugin("xep_0313")
        self.add_event_handler("session_start", self.online)
        self.add_event_handler("message", self.message)
        self.add_event_handler("changed_status", self.presence)
        self.add_event_handler("presence_unavailable", self.presence)
        self.add_event_handler("failed_auth", lambda _: say(event="error", text="authentication failed"))
        self.add_event_handler("connection_failed", lambda e: say(event="error", text=str(e)))

    async def online(self, _):
        await self.get_roster()
        self.send_presence()
        say(event="online", jid=str(self.boundjid.full))

    def presence(self, stanza):
        if stanza["from"].bare != self.boundjid.bare:
            available = stanza["type"] != "unavailable"
            say(event="presence", available=available, **{"from": stanza["from"].bare})

    def message(self, stanza):
        if stanza["type"] in ("chat", "normal") and stanza["body"]:
            say(event="message", body=stanza["body"], **{"from": stanza["from"].bare})

    async def history(self, contact):
        bodies = []
        async for result in self["xep_0313"].iterate(with_jid=contact):
            body = result["mam_result"]["forwarded"]["stanza"]["body"]
            if body:
                bodies.append(body)
        say(event="history", bodies=bodies)

    async def obey(self, order):
        if "add" in order:
            self.send_presence_subscription(pto=order["add"])
        elif "say" in order:
            self.send_message(mto=order["to"], mbody=order["say"], mtype="chat")
        elif "history" in order:
            await self.history(order["history"])


def say(**event):
    print(json.dumps(event), flush=True)


async def main():
    host, port, jid, password, ca = sys.argv[1:]
    person = Person(jid, password, ca)
    person.connect((host, int(port)), use_ssl=False, force_starttls=True)
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        order = json.loads(line or '{"quit": true}')
        if order.get("quit"):
            await person.disconnect()
            return
        try:
            await person.obey(order)
        except slixmpp.exceptions.XMPPError as error:
            say(event="error", text=str(error))


asyncio.run(main())
