// A client asks for the presence of an account, its own or a contact's (RFC 6121 §4.3).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "business/presence/last_presence.h"
#include "business/session/submission.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/session_record.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"

namespace business {

// Who may not see it is told "unsubscribed", whether the account exists or not (§4.3.2).
class PresenceProbe final : public Submission {
 public:
  // `of`: account or resource of a served domain. `id`: the stanza's own, may be empty.
  PresenceProbe(std::shared_ptr<Session> session, uint64_t in_seq, xmpp::Jid of, std::string id,
                const cluster::ClusterId& cluster_id);

  void Prepare() override;
  void Reply() override;
  bool barrier() const override { return true; }  // sees what the session said before

 private:
  static runtime::Task<void> Run(std::shared_ptr<PresenceProbe> self);
  std::string Answer(xmpp::StanzaType type, std::string_view from) const;

  const xmpp::Jid of_;
  const xmpp::BareJid account_;
  const std::string id_;
  const cluster::ClusterId cluster_id_;
  bool subscribed_ = false;
  std::vector<cluster::SessionRecord> rows_;
  std::optional<LastPresence> last_;
};

}  // namespace business
