// XEP-0280: Message Carbons 1.0.1: who wants them, and that nobody makes them up. They are sent by
// RoutedStanza, which knows who got the original.
#include "business/features/carbons.h"

#include <memory>
#include <utility>

#include "business/message/message_content.h"
#include "business/session/session.h"
#include "business/session/session_flags.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::StanzaError;

Task<IqReply> Turn(Iq iq, bool on) {
  if (!iq.session) co_return StanzaError::NotAllowed();
  const uint64_t flag = cluster::kSessionCarbons;
  const bool changed = co_await ChangeSessionFlags(iq.session, on ? flag : 0, on ? 0 : flag);
  if (!changed) co_return StanzaError::ResourceConstraint();
  co_return IqReply::Result();
}

// Attacks row 33: a copy says who said what to whom, and only the server may say that.
StageVerdict RemoveMadeUp(StageEvent& event) {
  RemovePretended(event.stanza);
  return Continue{};
}

}  // namespace

Feature Carbons() {
  Feature feature;
  feature.name = "carbons";
  feature.specs = {{.xep = 280, .version = "1.0.1"}, {.xep = 297, .version = "1.0"}};
  feature.disco.server = {ns::kCarbons};
  feature.disco.account = {ns::kCarbons};
  feature.iqs = {{IqType::kSet, ns::kCarbons, "enable", Addressee::kOwnAccount,
                  [](Iq iq) { return Turn(std::move(iq), true); }},
                 {IqType::kSet, ns::kCarbons, "disable", Addressee::kOwnAccount,
                  [](Iq iq) { return Turn(std::move(iq), false); }}};
  feature.stages.push_back(
      {.stage = Stage::kFromClient, .kinds = kMessages, .now = RemoveMadeUp, .later = nullptr});
  return feature;
}

}  // namespace business
