// @xmpp/client as one side of a long conversation: it loses its connection, and resumes by its own means.
// Orders are lines on standard input: {"to":JID,"say":text}, {"quit":true}. Events are lines on standard
// output: online, message, resumed, not-resumed, stanza-error.
import { client, xml } from "@xmpp/client";
import { createInterface } from "node:readline";

const [service, domain, username, password] = process.argv.slice(2);
const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");

const xmpp = client({ service, domain, username, password, resource: "node" });
xmpp.timeout = 20000;  // its 2 s are short on a busy host
const unsaid = [];
let begun = false;
xmpp.reconnect.delay = 500;
xmpp.on("error", () => {});  // of a connection that is lost, or cannot be made yet
xmpp.streamManagement.on("resumed", () => {
  say({ event: "resumed" });
  speak();
});
xmpp.streamManagement.on("fail", () => say({ event: "not-resumed" }));
xmpp.on("stanza", (stanza) => {
  if (stanza.is("message") && stanza.attrs.type !== "error") {
    say({ event: "message", body: stanza.getChildText("body") });
  } else if (stanza.attrs.type === "error") {
    say({ event: "stanza-error", text: stanza.toString() });
  }
});
xmpp.on("online", async (address) => {
  if (begun) return;
  begun = true;
  await xmpp.send(xml("presence"));
  say({ event: "online", jid: address.toString() });
});

createInterface({ input: process.stdin }).on("line", async (line) => {
  const order = JSON.parse(line);
  if (order.quit) {
    await xmpp.stop();
    process.exit(0);
  }
  unsaid.push(xml("message", { type: "chat", to: order.to, id: crypto.randomUUID() }, xml("body", {}, order.say)));
  speak();
});

// What was sent and not confirmed the library keeps; what is sent while it has no session it does not.
function speak() {
  while (xmpp.streamManagement.enabled && unsaid.length > 0) xmpp.send(unsaid.shift()).catch(() => {});
}

await xmpp.start();
