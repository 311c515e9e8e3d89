// XEP-0050: Ad-Hoc Commands 1.3.0.
#include "business/features/command.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <chrono>

#include "lib/cluster/base32.h"
#include "lib/cluster/ticket_sealer.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::DataForm;
using xmpp::Element;
using xmpp::StanzaError;

constexpr size_t kMaxState = 16 * 1024;  // it comes back in an attribute

struct Offer {
  std::vector<Command> commands;
  std::shared_ptr<const cluster::TicketSealer> sealer;

  // nullptr also for who may not run it.
  const Command* Find(std::string_view node, const xmpp::BareJid& asker) const {
    for (const Command& command : commands) {
      if (command.node == node && command.allowed(asker)) return &command;
    }
    return nullptr;
  }
};
using OfferPtr = std::shared_ptr<const Offer>;

int64_t Now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

StanzaError Bad(std::string_view condition) {
  StanzaError error = StanzaError::BadRequest();
  error.app_condition =
      "<" + std::string(condition) + " xmlns='" + std::string(ns::kCommands) + "'/>";
  return error;
}

// ---- sessions, which the client keeps ----

struct CommandSession {
  std::string node, asker, state;
  uint32_t stage = 0;
  int64_t began = 0;
};

std::string SealSession(const Offer& offer, const CommandSession& session) {
  const std::string plain = session.node + "\n" + session.asker + "\n" +
                            std::to_string(session.stage) + "\n" + std::to_string(session.began) +
                            "\n" + session.state;
  return cluster::Base32(offer.sealer->Seal(plain));
}

std::optional<CommandSession> OpenSession(const Offer& offer, std::string_view id) {
  const auto sealed = cluster::ParseBase32(id);
  const auto plain = sealed ? offer.sealer->Open(*sealed) : std::nullopt;
  if (!plain) return std::nullopt;
  std::string_view rest = *plain;
  const auto line = [&rest] {
    const size_t end = rest.find('\n');
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return text;
  };
  CommandSession session;
  session.node = line();
  session.asker = line();
  if (!absl::SimpleAtoi(std::string(line()), &session.stage) ||
      !absl::SimpleAtoi(std::string(line()), &session.began)) {
    return std::nullopt;
  }
  session.state = rest;
  return session;
}

// ---- one stage ----

std::string_view StatusOf(const CommandReply& reply) {
  return reply.completed ? "completed" : "executing";
}

Element Write(const Command& command, const CommandReply& reply, std::string session_id) {
  Element element("command", ns::kCommands);
  element.SetAttr("node", command.node);
  element.SetAttr("sessionid", std::move(session_id));
  element.SetAttr("status", std::string(StatusOf(reply)));
  if (!reply.completed) {
    Element& actions = element.Add("actions", ns::kCommands);
    actions.SetAttr("execute", "complete");
    actions.Add("complete", ns::kCommands);
  }
  for (const auto& [type, text] : reply.notes) {
    element.Add("note", ns::kCommands).SetAttr("type", type).AddText(text);
  }
  if (reply.form) element.Add(reply.form->Write());
  for (const Element& content : reply.content) element.Add(content);
  return element;
}

Element Canceled(const Command& command, std::string_view session_id) {
  Element element("command", ns::kCommands);
  element.SetAttr("node", command.node);
  element.SetAttr("sessionid", std::string(session_id));
  element.SetAttr("status", "canceled");
  return element;
}

// Required fields of `asked` that were not filled in.
std::string Missing(const DataForm& asked, const DataForm& given) {
  for (const xmpp::FormField& field : asked.fields) {
    const xmpp::FormField* value = field.required ? given.Find(field.var) : nullptr;
    if (field.required && (value == nullptr || value->value().empty())) {
      return field.label.empty() ? field.var : field.label;
    }
  }
  return {};
}

Task<CommandOutcome> Run(const Command& command, CommandStep step) {
  // What the form asked for is known by asking again: commands show it without doing anything.
  if (step.stage > 0) {
    CommandStep before = step;
    before.stage = step.stage - 1;
    before.form.reset();
    if (before.stage == 0) {
      CommandOutcome asked = co_await command.run(std::move(before));
      const auto* reply = std::get_if<CommandReply>(&asked);
      if (reply != nullptr && reply->form && step.form) {
        const std::string missing = Missing(*reply->form, *step.form);
        if (!missing.empty()) {
          StanzaError error = Bad("bad-payload");
          error.text = "not filled in: " + missing;
          co_return error;
        }
      }
    }
  }
  CommandOutcome outcome = co_await command.run(std::move(step));
  co_return outcome;
}

Task<IqReply> Execute(OfferPtr offer, Iq iq) {
  const Element asked = iq.Payload();
  const std::string_view action = asked.Attr("action");
  const std::string session_id(asked.Attr("sessionid"));
  CommandStep step;
  step.asker = *xmpp::BareJid::From(iq.from);
  const Command* command = offer->Find(asked.Attr("node"), step.asker);
  if (command == nullptr) co_return StanzaError::ItemNotFound("no such command");
  const bool known = action.empty() || action == "execute" || action == "complete" ||
                     action == "next" || action == "prev" || action == "cancel";
  if (!known) co_return Bad("malformed-action");
  CommandSession session{.node = command->node, .asker = step.asker.ToString(), .began = Now()};
  if (session_id.empty()) {
    if (!action.empty() && action != "execute") co_return Bad("bad-action");
  } else {
    const auto opened = OpenSession(*offer, session_id);
    if (!opened || opened->node != session.node || opened->asker != session.asker) {
      co_return Bad("bad-sessionid");
    }
    if (Now() - opened->began > kCommandSeconds) {
      StanzaError expired = Bad("session-expired");
      expired.type = xmpp::ErrorType::kCancel;
      expired.condition = "not-allowed";
      co_return expired;
    }
    session = *opened;
    if (action == "cancel") co_return IqReply::Result(Canceled(*command, session_id));
    if (action == "prev") {
      if (session.stage < 2) session.state.clear();
      session.stage = session.stage < 2 ? 0 : session.stage - 1;
    } else {
      step.form = DataForm::Below(asked);
      if (!step.form) co_return Bad("bad-payload");
      if (step.form->type == "cancel") co_return IqReply::Result(Canceled(*command, session_id));
    }
  }
  step.iq = std::move(iq);
  step.stage = session.stage;
  step.state = session.state;
  CommandOutcome outcome = co_await Run(*command, std::move(step));
  if (auto* error = std::get_if<StanzaError>(&outcome)) co_return std::move(*error);
  CommandReply& reply = std::get<CommandReply>(outcome);
  if (reply.state.size() > kMaxState) co_return StanzaError::ResourceConstraint("too much");
  session.stage += 1;
  session.state = reply.state;
  IqReply answer = IqReply::Result(Write(*command, reply, SealSession(*offer, session)));
  if (reply.next) co_return std::move(answer).Then(std::move(reply.next));
  co_return answer;
}

// ---- discovery ----

Element Identity(std::string_view type, std::string_view name) {
  Element identity("identity", ns::kDiscoInfo);
  identity.SetAttr("category", "automation").SetAttr("type", std::string(type));
  if (!name.empty()) identity.SetAttr("name", std::string(name));
  return identity;
}

Element FeatureOf(std::string_view var) {
  Element feature("feature", ns::kDiscoInfo);
  feature.SetAttr("var", std::string(var));
  return feature;
}

Task<std::optional<DiscoPart>> Info(OfferPtr offer, Iq iq, std::string node) {
  if (node == ns::kCommands) {
    co_return DiscoPart(std::vector<Element>{Identity("command-list", "Commands")});
  }
  if (node.empty()) co_return std::nullopt;
  const Command* command = offer->Find(node, *xmpp::BareJid::From(iq.from));
  if (command == nullptr) co_return std::nullopt;
  co_return DiscoPart(std::vector<Element>{Identity("command-node", command->name),
                                           FeatureOf(ns::kCommands), FeatureOf(ns::kDataForms)});
}

Task<std::optional<DiscoPart>> Items(OfferPtr offer, Iq iq, std::string node) {
  if (node != ns::kCommands) co_return std::nullopt;
  const xmpp::BareJid asker = *xmpp::BareJid::From(iq.from);
  std::vector<Element> items;
  for (const Command& command : offer->commands) {
    if (!command.allowed(asker)) continue;
    Element item("item", ns::kDiscoItems);
    item.SetAttr("jid", iq.to.ToString());
    item.SetAttr("node", command.node);
    item.SetAttr("name", command.name);
    items.push_back(std::move(item));
  }
  co_return DiscoPart(std::move(items));
}

}  // namespace

std::string CommandStep::Value(std::string_view var) const {
  const xmpp::FormField* field = form ? form->Find(var) : nullptr;
  return field == nullptr ? std::string() : std::string(field->value());
}

std::vector<std::string> CommandStep::Values(std::string_view var) const {
  const xmpp::FormField* field = form ? form->Find(var) : nullptr;
  return field == nullptr ? std::vector<std::string>() : field->values;
}

CommandReply CommandReply::Ask(DataForm form, std::string state) {
  CommandReply reply;
  reply.form = std::move(form);
  reply.completed = false;
  reply.state = std::move(state);
  return reply;
}

CommandReply CommandReply::Done(std::string note) {
  CommandReply reply;
  reply.notes.emplace_back("info", std::move(note));
  return reply;
}

CommandReply CommandReply::Result(DataForm form) {
  CommandReply reply;
  reply.form = std::move(form);
  return reply;
}

Feature Commands(std::vector<Command> commands,
                 std::shared_ptr<const cluster::TicketSealer> sealer) {
  Feature feature;
  feature.name = "commands";
  feature.specs = {{.xep = 50, .version = "1.3.0"}};
  feature.disco.server = {ns::kCommands};
  feature.disco.account = {ns::kCommands};
  const auto offer = std::make_shared<const Offer>(Offer{std::move(commands), std::move(sealer)});
  for (Addressee addressee : {Addressee::kServer, Addressee::kOwnAccount}) {
    feature.iqs.push_back({IqType::kSet, ns::kCommands, "command", addressee,
                           [offer](Iq iq) { return Execute(offer, std::move(iq)); }});
    feature.disco_extensions.push_back(
        {.addressee = addressee,
         .info = [offer](Iq iq,
                         std::string node) { return Info(offer, std::move(iq), std::move(node)); },
         .items = [offer](
                      Iq iq,
                      std::string node) { return Items(offer, std::move(iq), std::move(node)); }});
  }
  return feature;
}

}  // namespace business
