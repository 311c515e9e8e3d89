"""slixmpp as one side of a conversation; the same orders and answers as node/talk.js."""

import asyncio
import json
import sys

import slixmpp


class Talk(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca):
        super().__init__(jid, password)
        self.ca_certs = ca
        self.add_event_handler("session_start", self.online)
        self.add_event_handler("message", self.message)
        self.add_event_handler("failed_auth", lambda _: say(event="error", text="authentication failed"))
        self.add_event_handler("connection_failed", lambda e: say(event="error", text=str(e)))

    async def online(self, _):
        self.send_presence()
        say(event="online", jid=str(self.boundjid.full))

    def message(self, stanza):
        if stanza["type"] == "error":
            say(event="stanza-error", text=str(stanza))
        else:
            say(event="message", **{"from": str(stanza["from"]), "body": stanza["body"]})


def say(**event):
    print(json.dumps(event), flush=True)


async def main():
    host, port, tls, jid, password, ca = sys.argv[1:]
    talk = Talk(jid + "/slix", password, ca)
    talk.connect((host, int(port)), use_ssl=tls == "direct", force_starttls=tls == "starttls")
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        order = json.loads(line or '{"quit": true}')
        if order.get("quit"):
            await talk.disconnect()
            return
        for i in range(1, order["count"] + 1):
            talk.send_message(mto=order["to"], mbody=str(i), mtype="chat")
            if i % 50 == 0:
                await asyncio.sleep(0)


asyncio.run(main())
