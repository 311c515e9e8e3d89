// XEP-0198: Stream Management 1.6.3. Only its announcement is here. Managers count (connmgr/
// stream_management.h); enabling, committing and resuming are the session's
// (routing/enable_stanza.h, session/session_commits.h, session/session_resumer.h).
#include "business/features/stream_management.h"

#include <string>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

std::string Offer() {
  std::string xml = "<sm xmlns='";
  return xml.append(xmpp::ns::kSm).append("'/>");
}

}  // namespace

Feature StreamManagement() {
  Feature feature;
  feature.name = "stream_management";
  feature.specs = {{.xep = 198, .version = "1.6.3"}};
  feature.stream_features = {Offer};
  return feature;
}

}  // namespace business
