// XEP-0490: Message Displayed Synchronization 1.0.1. Up to where a chat was displayed stands in a
// private node that clients publish to; §4.4: or the server does it for them, when what they tell
// the other side says so, too.
#include "business/features/displayed_sync.h"

#include <string>
#include <utility>

#include "business/session/session.h"
#include "lib/runtime/metrics.h"
#include "lib/xmpp/data_form.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::DataForm;
using xmpp::Element;
using xmpp::StanzaError;
using Nodes = std::shared_ptr<PersonalNodes>;

// Of the events of one message: behind those of its archiving and copies.
constexpr uint32_t kFirstEvent = 900;

bool IsMark(const Element& child) { return child.Is("displayed", ns::kDisplayed); }

// Takes the mark out of the message: nobody else's business. nullopt: it names no message.
std::optional<Element> TakeMark(xmpp::Stanza* message) {
  std::optional<Element> root = Element::Parse(message->bytes);
  if (!root) return std::nullopt;
  const Element* found = root->Find("displayed", ns::kDisplayed);
  if (found == nullptr) return std::nullopt;
  const Element mark = *found;
  root->RemoveIf(IsMark);
  message->bytes = root->Write();
  const Element* first = root->FirstChild();
  message->payload_ns = first == nullptr ? "" : first->ns();
  message->payload_name = first == nullptr ? "" : first->name();
  if (first == nullptr) message->flags |= xmpp::kNoPayload;
  const Element* id = mark.Find("stanza-id", ns::kStanzaId);
  if (id == nullptr || id->Attr("id").empty() || id->Attr("by").empty()) return std::nullopt;
  return mark;
}

PublishRequest RequestOf(std::string chat, const Element& mark) {
  PublishRequest request;
  request.node = ns::kDisplayed;
  PubsubItem item;
  item.id = std::move(chat);
  item.payload = mark.Write();
  request.items.push_back(std::move(item));
  DataForm form = DataForm::Of("submit", ns::kPubsubPublishOptions);
  form.Add("pubsub#persist_items", {}, "true");
  form.Add("pubsub#max_items", {}, "max");
  form.Add("pubsub#send_last_published_item", {}, "never");
  form.Add("pubsub#access_model", {}, "whitelist");
  request.options = std::move(form);
  return request;
}

runtime::Counter& Marks(const char* result) {
  return runtime::Metrics::Get().GetCounter(
      "xylem_displayed_marks_total",
      "Displayed marks that a message brought (XEP-0490); refused: the node is not private, or full",
      {{"result", result}});
}

// The message goes on whatever becomes of the mark, unless the store may answer later: then its
// sender repeats both.
Task<void> Publish(Nodes nodes, xmpp::Jid sender, cluster::ClusterId cause, PublishRequest request,
                   StageDone done) {
  const xmpp::BareJid account = *xmpp::BareJid::From(sender);
  if (!nodes->MayNotify(account)) {
    Marks("refused").Add();
    done(Continue{});
    co_return;
  }
  PubsubResult<PubsubEvents> result = co_await nodes->service().Publish(
      account, PersonalNodes::OwnerOf(sender), std::move(request));
  if (const auto* error = std::get_if<StanzaError>(&result)) {
    if (error->type == xmpp::ErrorType::kWait) {
      done(*error);
      co_return;
    }
    Marks("refused").Add();
  } else {
    Marks("done").Add();
    co_await nodes->Tell(account, std::move(std::get<PubsubEvents>(result)), cause, kFirstEvent);
  }
  done(Continue{});
}

void FromClient(const Nodes& nodes, StageEvent* event, StageDone done) {
  xmpp::Stanza& message = *event->stanza;
  // Beside what the other side is told: a message of the mark alone is nobody's (§4.4.2).
  const bool may_bear = (message.flags & xmpp::kManyPayloads) != 0 && event->from != nullptr &&
                        message.type != xmpp::StanzaType::kError;
  if (!may_bear || message.bytes.find(ns::kDisplayed) == std::string::npos) {
    done(Continue{});
    return;
  }
  std::optional<Element> mark = TakeMark(&message);
  if (!mark) {
    done(Continue{});
    return;
  }
  const xmpp::Jid& chat = event->to != nullptr ? *event->to : *event->from;
  std::string id = event->to != nullptr ? chat.ToString() : xmpp::BareJid::From(chat)->ToString();
  runtime::Spawn(Publish(nodes, *event->from, event->id, RequestOf(std::move(id), *mark),
                         std::move(done)));
}

}  // namespace

Feature DisplayedSync(Nodes nodes) {
  Feature feature;
  feature.name = "displayed_sync";
  feature.specs = {{.xep = 490, .version = "1.0.1"}};
  feature.needs = {"pep", "stanza_ids"};
  feature.disco.account = {ns::kDisplayedAssist};
  StageHandler client;
  client.stage = Stage::kFromClient;
  client.kinds = kMessages;
  client.soon = [nodes](StageEvent& event, StageDone done) {
    FromClient(nodes, &event, std::move(done));
  };
  feature.stages.push_back(std::move(client));
  return feature;
}

}  // namespace business
