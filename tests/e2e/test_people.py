"""What two people do on their first day: add each other, see who is there, chat; later, on another device, they
find who is there, and what was said."""

import functools
import os
import shutil
import tempfile

import people
from cluster import Cluster, eventually
from scripted import install_node
from xmpp import split_address

PACKAGES = ["python3-slixmpp", "profanity", "tmux", *([] if shutil.which("npm") else ["nodejs", "npm"])]
SAID = ["Neither, fair saint.", "Good night, good night!", "Parting is such sweet sorrow"]


@functools.lru_cache
def town(preset):
    """The cluster that all plays of this file share: each has people of its own."""
    cluster = Cluster(preset=preset).__enter__()
    Cluster.standing.append(cluster)
    return cluster


def couple(cluster, *names):
    for name in names:
        cluster.add_user(name)
    return [f"{name}@{cluster.domain}" for name in names]


def person(cluster, program, jid, resource):
    port = split_address(cluster.endpoint("c2s"))[1]
    return program(jid, cluster.users[jid.partition("@")[0]], port, cluster.ca, resource)


def first_day(first, second, *names):
    """`first` and `second` are programs; each person has one at first and the other later."""
    async def test(preset):
        install_node()
        cluster = town(preset)
        romeo_jid, juliet_jid = couple(cluster, *names)
        romeo = await person(cluster, first, romeo_jid, "one").start()
        juliet = await person(cluster, second, juliet_jid, "one").start()
        romeo.order(add=juliet_jid)
        await romeo.expect(event="presence", available=True, **{"from": juliet_jid})
        await juliet.expect(event="presence", available=True, **{"from": romeo_jid})
        for number, text in enumerate(SAID):
            speaker, listener = (romeo, juliet) if number % 2 == 0 else (juliet, romeo)
            speaker.order(say=text, to=listener.jid)
            await listener.expect(event="message", body=text, **{"from": speaker.jid})
        await juliet.quit()
        await romeo.expect(event="presence", available=False, **{"from": juliet_jid})
        # Other devices, with the other program.
        elsewhere = await person(cluster, second, romeo_jid, "two").start()
        juliet = await person(cluster, first, juliet_jid, "two").start()
        await juliet.expect(event="presence", available=True, **{"from": romeo_jid})
        await elsewhere.expect(event="presence", available=True, **{"from": juliet_jid})
        assert await elsewhere.history(juliet_jid) == SAID
        assert await juliet.history(romeo_jid) == SAID
        for one in (romeo, elsewhere, juliet):
            await one.quit()
    return test


class Profanity(people.Terminal):
    """profanity with settings of its own in a directory that is thrown away with it."""

    def __init__(self, cluster, jid, resource):
        self.home = tempfile.mkdtemp(prefix="xylem-profanity-")
        config = os.path.join(self.home, "config", "profanity")
        data = os.path.join(self.home, "data", "profanity")
        for folder in (config, data):
            os.makedirs(folder)
        with open(os.path.join(config, "profrc"), "w", encoding="utf-8") as out:
            out.write("[ui]\nsplash=false\nroster=true\n[notifications]\nmessage=off\n"
                      f"[connection]\n[tls]\ncertpath={os.path.dirname(cluster.ca)}\n")
        port = split_address(cluster.endpoint("c2s"))[1]
        with open(os.path.join(data, "accounts"), "w", encoding="utf-8") as out:
            out.write(f"[{jid}]\nenabled=true\njid={jid}\nresource={resource}\nserver=127.0.0.1\nport={port}\n"
                      f"password={cluster.users[jid.partition('@')[0]]}\ntls.policy=force\nauth.policy=default\n")
        super().__init__(["profanity", "-a", jid], {
            "XDG_CONFIG_HOME": os.path.dirname(config), "XDG_DATA_HOME": os.path.dirname(data), "TERM": "xterm-256color",
            "SSL_CERT_FILE": cluster.ca, "LANG": "C.UTF-8"})

    def end(self):
        super().end()
        shutil.rmtree(self.home, ignore_errors=True)


def unconfirmed(cluster):
    """Stanzas that clients with stream management, of whom there is one at least, have not confirmed."""
    script = ("local n = 0; for _, k in ipairs(redis.call('KEYS', 'x:*:out:*')) do n = n + redis.call('LLEN', k) end; "
              "return {#redis.call('KEYS', 'x:*:sm:*'), n}")
    sessions, count = map(int, cluster.redis("EVAL", script, "0").split())
    assert sessions > 0, "nobody has stream management"
    return count


async def profanity(preset):
    """mercutio in a terminal, rosaline on slixmpp."""
    cluster = town(preset)
    his, hers = couple(cluster, "mercutio", "rosaline")
    rosaline = await person(cluster, people.slixmpp, hers, "one").start()
    mercutio = Profanity(cluster, his, "terminal")
    try:
        await mercutio.see("logged in successfully")
        mercutio.type(f"/sub request {hers}")
        await mercutio.see(f"{hers}.* is online")
        await mercutio.see(f"Received authorization request from {hers}")
        mercutio.type(f"/sub allow {hers}")
        await rosaline.expect(event="presence", available=True, **{"from": his})
        mercutio.type(f"/msg {hers} {SAID[0]}")
        await rosaline.expect(event="message", body=SAID[0], **{"from": his})
        rosaline.order(say=SAID[1], to=his)
        await mercutio.see(SAID[1])
        # What is not confirmed waits for him, and he asks for no history before it: the server asks for
        # counts. A terminal that is shut leaves a session; this one says good-bye.
        await eventually(lambda: unconfirmed(cluster) == 0, "what was written to everybody is confirmed")
        mercutio.type("/quit")
        await rosaline.expect(event="presence", available=False, **{"from": his})
    finally:
        mercutio.end()
    elsewhere = Profanity(cluster, his, "another")
    try:
        await elsewhere.see("logged in successfully")
        elsewhere.type("/mam on")
        elsewhere.type("/ping")  # it asks for no history before it knows that there is some
        await elsewhere.see("Ping response")
        elsewhere.type(f"/msg {hers}")
        await elsewhere.see(f"(?s){SAID[0]}.*{SAID[1]}")
    finally:
        elsewhere.end()
    await rosaline.quit()


TESTS = {
    "slixmpp and @xmpp/client: contacts, presence, chat, history on other devices":
        first_day(people.slixmpp, people.xmpp_js, "romeo", "juliet"),
    "@xmpp/client and slixmpp: contacts, presence, chat, history on other devices":
        first_day(people.xmpp_js, people.slixmpp, "paris", "helena"),
    "profanity and slixmpp: contacts, presence, chat, history on another device": profanity,
}
