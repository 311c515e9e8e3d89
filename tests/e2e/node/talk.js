// @xmpp/client as one side of a conversation: logs in, says {"event":"online"} on standard output, then
// obeys lines on standard input: {"to":JID,"count":N} sends N numbered messages. Every message that
// arrives is printed as {"event":"message","from":…,"body":…}.
import { client, xml } from "@xmpp/client";
import { createInterface } from "node:readline";

const [service, domain, username, password] = process.argv.slice(2);
const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");

const xmpp = client({ service, domain, username, password, resource: "node" });
xmpp.timeout = 20000;  // its 2 s are short on a busy host
xmpp.on("error", (error) => say({ event: "error", text: String(error) }));
xmpp.on("stanza", (stanza) => {
  if (stanza.is("message") && stanza.attrs.type !== "error") {
    say({ event: "message", from: stanza.attrs.from, body: stanza.getChildText("body") });
  } else if (stanza.attrs.type === "error") {
    say({ event: "stanza-error", text: stanza.toString() });
  }
});
xmpp.on("online", async (address) => {
  await xmpp.send(xml("presence"));
  say({ event: "online", jid: address.toString() });
});

createInterface({ input: process.stdin }).on("line", async (line) => {
  const order = JSON.parse(line);
  if (order.quit) {
    await xmpp.stop();
    process.exit(0);
  }
  for (let i = 1; i <= order.count; i++) {
    await xmpp.send(xml("message", { type: "chat", to: order.to, id: `n${i}` }, xml("body", {}, String(i))));
  }
});

await xmpp.start();
