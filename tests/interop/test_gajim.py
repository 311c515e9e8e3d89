"""Gajim under Xvfb, as lorina: she adds the hatter, sees him come, and they chat; another device has the history.
Leaves a picture to look at."""

import asyncio
import contextlib
import os
import shutil
import sqlite3

import desktop
import people
from cluster import Cluster, eventually
from xmpp import split_address

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PICTURE = os.path.join(ROOT, "build", "interop", "gajim.png")
PACKAGES = ["gajim", "python3-slixmpp", *desktop.PACKAGES]
# Not alice and bob, whom ./xylem up has said something already.
LORINA, HATTER = "lorina@localhost", "hatter@localhost"
SAID = ["Why is a raven like a writing-desk?", "Have you guessed the riddle yet?"]


class Gajim:
    """Gajim with one account, logged in or about to be."""

    def __init__(self, screen, cluster, jid):
        self.screen = screen
        directory = os.path.join(screen.home, "gajim")
        script = os.path.join(screen.home, "gajim_account.py")
        shutil.copyfile(os.path.join(HERE, "gajim_account.py"), script)
        port = split_address(cluster.endpoint("c2s"))[1]
        screen.run("/usr/bin/python3", script, directory, jid, cluster.users[jid.partition("@")[0]], str(port))
        # What a person does in Gajim's dialog: this certificate is the right one.
        certificate = os.path.join(directory, "cert_store", "localhost.crt")
        os.makedirs(os.path.dirname(certificate), exist_ok=True)
        shutil.copyfile(os.path.join(cluster.data, "tls", "server.crt"), certificate)
        os.chmod(certificate, 0o644)
        self.command = ["/usr/bin/gajim", "-c", directory]
        self.messages = os.path.join(directory, "logs.db")
        screen.start(self.command)

    def follow(self, link):
        """What a click on a link somewhere does."""
        self.screen.run(*self.command, link)

    def has(self, text):
        """Is this among the messages it keeps?"""
        with contextlib.closing(sqlite3.connect(f"file:{self.messages}?mode=ro", uri=True)) as database:
            return database.execute("SELECT 1 FROM logs WHERE message = ?", (text,)).fetchone() is not None


async def contact_and_chat(preset):
    os.makedirs(os.path.dirname(PICTURE), exist_ok=True)
    with Cluster(preset=preset) as cluster, desktop.Desktop() as screen:
        for name in ("lorina", "hatter"):
            cluster.add_user(name)
        port = split_address(cluster.endpoint("c2s"))[1]
        hatter = await people.slixmpp(HATTER, cluster.users["hatter"], port, cluster.ca, "one").start()
        gajim = Gajim(screen, cluster, LORINA)
        try:
            await eventually(lambda: LORINA in cluster.ctl("--json", "session", "list").stdout, "lorina is there", 60)
            gajim.follow(f"xmpp:{HATTER}?roster")
            await screen.confirm("Add Contact")
            await hatter.expect(event="presence", available=True, **{"from": LORINA})
            gajim.follow(f"xmpp:{HATTER}?message")
            await screen.confirm("Start / Join Chat")
            await screen.window("Gajim")
            screen.type(SAID[0])
            screen.key("Return")
            await hatter.expect(event="message", body=SAID[0], **{"from": LORINA})
            hatter.order(say=SAID[1], to=LORINA)
            await eventually(lambda: gajim.has(SAID[1]), "Gajim has the hatter's message", 30)
            await asyncio.sleep(1)  # for its animations: nothing else waits for this
        finally:
            screen.picture(PICTURE)
        await hatter.quit()
        elsewhere = await people.slixmpp(LORINA, cluster.users["lorina"], port, cluster.ca, "two").start()
        assert await elsewhere.history(HATTER) == SAID
        await elsewhere.quit()


TESTS = {"Gajim and slixmpp: contacts, presence, chat, history": contact_and_chat}
