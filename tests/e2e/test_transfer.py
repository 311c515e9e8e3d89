"""XEP-0227: accounts with their data come in and go out by xylemctl."""

import json
import os
import stat
import xml.etree.ElementTree as ET

from cluster import Cluster
from xmpp import Client

PIE = "{urn:xmpp:pie:0}"
ROSTER = "{jabber:iq:roster}"

MAIN = """<?xml version='1.0' encoding='UTF-8'?>
<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'>
  <!-- of another server -->
  <host jid='localhost'>
    <user name='juliet' password='R0m30'>
      <query xmlns='jabber:iq:roster'>
        <item jid='romeo@localhost' name='Romeo' subscription='both'><group>Friends</group></item>
        <item jid='nurse@example.net' ask='subscribe' subscription='none'/>
        <item jid='@@' subscription='both'/>
      </query>
      <presence xmlns='jabber:client' type='subscribe' from='mercutio@localhost'><status>Let me.</status></presence>
      <vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>
      <query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'><defaultnick>J &amp; R</defaultnick></exodus></query>
      <offline-messages>
        <message xmlns='jabber:client' from='romeo@localhost/orchard' to='juliet@localhost' type='chat' id='o1'>
          <body>Neither, fair saint.</body>
          <delay xmlns='urn:xmpp:delay' from='localhost' stamp='2020-07-21T00:32:29Z'/>
        </message>
      </offline-messages>
      <blocklist xmlns='urn:xmpp:blocking'><item jid='tybalt@localhost'/></blocklist>
      <archive xmlns='urn:xmpp:pie:0#mam'>
        <result xmlns='urn:xmpp:mam:2' id='28482-98726-73623'><forwarded xmlns='urn:xmpp:forward:0'>
          <delay xmlns='urn:xmpp:delay' stamp='2020-07-10T23:08:25Z'/>
          <message xmlns='jabber:client' to='juliet@localhost/balcony' from='romeo@localhost/orchard' type='chat'><body>Call me but love</body></message>
        </forwarded></result>
      </archive>
      <strange xmlns='urn:example:strange'/>
    </user>
    <xi:include href='localhost/romeo.xml'/>
  </host>
  <host jid='elsewhere.example'><user name='paris' password='p'/></host>
</server-data>
"""
ROMEO = "<user xmlns='urn:xmpp:pie:0' name='romeo' password='Jul13t'/>"


def write(cluster, name, text):
    path = os.path.join(cluster.data, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def ctl_json(cluster, *arguments):
    return json.loads(cluster.ctl("--json", *arguments).stdout)


async def there_and_back(preset):
    with Cluster(managers=1, business=1, preset=preset) as cluster:
        write(cluster, "in/localhost/romeo.xml", ROMEO)
        path = write(cluster, "in/main.xml", MAIN)
        result = ctl_json(cluster, "import", path)
        expected = {"accounts": 2, "contacts": 2, "requests": 1, "offline": 1, "private_xml": 1, "vcards": 1,
                    "blocked": 1, "nodes": 0, "items": 0, "archived": 1}
        assert result["imported"] == expected, result
        notes = "\n".join(note["text"] for note in result["left_out"])
        assert len(result["left_out"]) == 3 and "strange" in notes and "@@" in notes and "not serve" in notes, notes
        again = ctl_json(cluster, "import", path)
        assert again["imported"]["accounts"] == 0, again

        out = os.path.join(cluster.data, "out.xml")
        assert ctl_json(cluster, "export", out, "--archive")["exported"] >= 5
        assert stat.S_IMODE(os.stat(out).st_mode) == 0o600
        refused = cluster.ctl("export", out, check=False)
        assert refused.returncode == 1 and "exists" in refused.stderr, refused
        users = {u.get("name"): u for u in ET.parse(out).getroot().iter(PIE + "user")}
        juliet = users["juliet"]
        assert juliet.get("password") is None
        assert len(list(juliet.iter("{urn:xmpp:pie:0#scram}scram-credentials"))) == 3
        items = {i.get("jid"): i for i in juliet.iter(ROSTER + "item")}
        assert items["romeo@localhost"].get("subscription") == "both" and items["romeo@localhost"][0].text == "Friends"
        assert items["nurse@example.net"].get("ask") == "subscribe"
        assert [p.get("from") for p in juliet.iter("{jabber:client}presence")] == ["mercutio@localhost"]
        bodies = [b.text for b in juliet.iter("{jabber:client}body")]
        assert bodies == ["Neither, fair saint.", "Call me but love"], bodies

        with Cluster(managers=1, business=1, preset=preset) as other:
            ctl_json(other, "import", out)
            back = os.path.join(other.data, "back.xml")
            ctl_json(other, "export", back, "--user", "juliet@localhost", "--archive")
            ours = ET.canonicalize(ET.tostring(juliet, encoding="unicode"), strip_text=True)
            theirs = next(ET.parse(back).getroot().iter(PIE + "user"))
            assert ET.canonicalize(ET.tostring(theirs, encoding="unicode"), strip_text=True) == ours
            for name, password in (("juliet", "R0m30"), ("romeo", "Jul13t")):
                client = Client(other.manager_address(1), other.domain, other.ca)
                await client.login(name, password, presence=False)
                await client.close()


def bad_files(preset):
    """A sentence that names the file, and exit code 1; what stood before the fault is imported."""
    with Cluster(managers=1, business=1, preset=preset) as cluster:
        def refused(text, *words):
            result = cluster.ctl("import", write(cluster, "bad/file.xml", text), check=False)
            assert result.returncode == 1 and all(word in result.stderr for word in words), (text, result)
        head = "<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'><host jid='localhost'>"
        refused("", "file.xml")
        refused("<html/>", "file.xml", "XEP-0227")
        refused(head + "<user name='a' password='b'/>", "file.xml")
        refused("<!DOCTYPE x [<!ENTITY e 'eeee'>]>" + head + "</host></server-data>", "DOCTYPE")
        refused(head + "<xi:include href='../../../../../../etc/passwd'/></host></server-data>", "leads out of")
        refused(head + "<xi:include href='missing.xml'/></host></server-data>", "missing.xml")
        assert ctl_json(cluster, "user", "show", "a@localhost")["user"]["jid"] == "a@localhost"
        missing = cluster.ctl("import", "/nowhere/at/all.xml", check=False)
        assert missing.returncode == 1 and "/nowhere/at/all.xml" in missing.stderr, missing


TESTS = {"XEP-0227: users come in, go out, and are the same": there_and_back,
         "XEP-0227: files that are none are named": bad_files}
