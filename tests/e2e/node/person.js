// @xmpp/client as a person; orders and events are those of ../person_slixmpp.py.
import { client, xml } from "@xmpp/client";
import { createInterface } from "node:readline";

const [service, domain, username, password, resource] = process.argv.slice(2);
const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");
const bare = (jid) => jid.split("/")[0];
const me = `${username}@${domain}`;
const asked = new Set();  // whose presence was asked for: nobody is asked twice
const pages = new Map();  // query id → bodies

const xmpp = client({ service, domain, username, password, resource });
xmpp.timeout = 20000;  // its 2 s are short on a busy host
const ask = (jid) => asked.has(jid) || (asked.add(jid), xmpp.send(xml("presence", { type: "subscribe", to: jid })));

xmpp.on("error", (error) => say({ event: "error", text: String(error) }));
xmpp.on("stanza", async (stanza) => {
  const { from = me, type } = stanza.attrs;
  if (stanza.is("presence") && type === "subscribe") {
    await xmpp.send(xml("presence", { type: "subscribed", to: bare(from) }));
    await ask(bare(from));
  } else if (stanza.is("presence") && (!type || type === "unavailable") && bare(from) !== me) {
    say({ event: "presence", from: bare(from), available: !type });
  } else if (stanza.is("message") && stanza.getChild("result", "urn:xmpp:mam:2")) {
    const result = stanza.getChild("result", "urn:xmpp:mam:2");
    const body = result.getChild("forwarded", "urn:xmpp:forward:0")?.getChild("message")?.getChildText("body");
    if (body) pages.get(result.attrs.queryid)?.push(body);
  } else if (stanza.is("message") && type !== "error" && stanza.getChildText("body")) {
    say({ event: "message", from: bare(from), body: stanza.getChildText("body") });
  }
});
xmpp.on("online", async (address) => {
  await xmpp.iqCaller.request(xml("iq", { type: "get" }, xml("query", "jabber:iq:roster")));
  await xmpp.send(xml("presence"));
  say({ event: "online", jid: address.toString() });
});

// RSM page after page, as any client reads an archive.
async function history(contact) {
  const bodies = [];
  const field = (name, value) => xml("field", { var: name }, xml("value", {}, value));
  for (let after, page = 0; ; page++) {
    const queryid = `h${page}`;
    pages.set(queryid, bodies);
    const answer = await xmpp.iqCaller.request(xml("iq", { type: "set" }, xml("query", { xmlns: "urn:xmpp:mam:2", queryid },
      xml("x", { xmlns: "jabber:x:data", type: "submit" }, field("FORM_TYPE", "urn:xmpp:mam:2"), field("with", contact)),
      xml("set", "http://jabber.org/protocol/rsm", xml("max", {}, "2"), after ? xml("after", {}, after) : null))));
    const fin = answer.getChild("fin", "urn:xmpp:mam:2");
    after = fin.getChild("set", "http://jabber.org/protocol/rsm")?.getChildText("last");
    if (fin.attrs.complete === "true" || !after) break;
  }
  say({ event: "history", bodies });
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const order = JSON.parse(line);
  if (order.quit) {
    await xmpp.stop();
    process.exit(0);
  }
  try {
    if (order.add) await ask(order.add);
    else if (order.say) await xmpp.send(xml("message", { type: "chat", to: order.to, id: crypto.randomUUID() }, xml("body", {}, order.say)));
    else if (order.history) await history(order.history);
  } catch (error) {
    say({ event: "error", text: String(error) });
  }
});

await xmpp.start();
