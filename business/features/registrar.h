// Makes accounts for strangers (XEP-0077 §3.1), if the service is open to them or they show an
// invitation (XEP-0445).
#pragma once

#include <memory>
#include <string>

#include "business/auth/stranger_iqs.h"
#include "business/features/invitations.h"
#include "business/features/service_options.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/jid.h"

namespace business {

class PasswordWorkers;
struct Shard;

// One per loop, lives on it.
class Registrar final : public StrangerIqs {
 public:
  // A stream that asks more is closed: names could be tried out.
  static constexpr uint32_t kMostIqs = 20;

  Registrar(Shard* shard, PasswordWorkers* workers, const ServiceOptions& options);

  std::string Features(const Stranger& stranger) override;
  runtime::Task<std::string> Answer(std::shared_ptr<Stranger> stranger, std::string iq) override;

 private:
  runtime::Task<std::string> ShowInvitation(std::shared_ptr<Stranger> stranger, xmpp::Element iq);
  runtime::Task<std::string> Register(std::shared_ptr<Stranger> stranger, xmpp::Element iq);
  // Counts the accounts of one address over all servers; false: no more.
  runtime::Task<bool> MayRegister(std::string peer_address);
  // What was counted was refused: a name that is taken costs nothing.
  runtime::Task<void> GiveBack(std::string peer_address);
  // It was made by the same request before, whose answer was lost with a server.
  runtime::Task<bool> JustMade(xmpp::BareJid account, std::string password);
  bool Open(const Stranger& stranger) const;

  Shard* const shard_;
  PasswordWorkers* const workers_;
  const RegistrationOptions options_;
  Invitations invitations_;
};

}  // namespace business
