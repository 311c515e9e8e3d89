// Invitations that accounts have given away (XEP-0379, 0401, 0445): who shows the token of one is
// let in by it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "business/features/service_options.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

struct Invitation {
  xmpp::BareJid inviter;
  std::string domain;      // where an account may be made
  std::string username;    // the only one that may be; empty: any
  bool contact = false;    // the new account and the inviter see each other
  int64_t expires_ms = 0;  // wall clock
};

// One per loop, lives on it; everything is in the store, so any server redeems what another gave.
class Invitations {
 public:
  Invitations(Shard* shard, InvitationOptions options) : shard_(shard), options_(options) {}

  // The token; nullopt: the inviter has given away too many. `expires_ms` is filled in.
  runtime::Task<runtime::Result<std::optional<std::string>>> Make(Invitation* invitation);
  // nullopt: no such token, or it has expired. One that is read stays good.
  runtime::Task<runtime::Result<std::optional<Invitation>>> Find(std::string token);
  // It is used up. True: it was there; of two who use it at once, one gets true.
  runtime::Task<runtime::Result<bool>> Use(std::string token);

  struct Listed {
    Invitation invitation;
    std::string id;  // of the token, which nobody knows any more
  };
  runtime::Task<runtime::Result<std::vector<Listed>>> List(xmpp::BareJid inviter);

 private:
  Shard* const shard_;
  const InvitationOptions options_;
};

// As clients and people take it; XEP-0379 §3.1, XEP-0445 §2.
std::string InvitationUri(const Invitation& invitation, const std::string& token);
// `page` with the URI in place of {uri}; empty if there is no page.
std::string LandingPage(const std::string& page, const std::string& uri);

}  // namespace business
