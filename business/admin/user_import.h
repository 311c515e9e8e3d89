// Accounts with their data from another server, or from a backup (XEP-0227).
#pragma once

#include <memory>
#include <vector>

#include "business/admin/admin_answer.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/jid.h"

namespace xylem::v1 {
class ImportUsersRequest;
class ImportUsersRequest_Part;
}  // namespace xylem::v1

namespace business {

class AccountAdmin;
struct Shard;

// Lives on loop 0. An account that is there keeps its password; its data is added to. What is
// imported is not pushed to clients: they see it when they ask next.
class UserImport {
 public:
  UserImport(Shard* shard, AccountAdmin* accounts) : shard_(shard), accounts_(accounts) {}

  runtime::Task<AdminAnswer> Import(xylem::v1::ImportUsersRequest request);

 private:
  struct Run;  // one call
  using RunPtr = std::shared_ptr<Run>;
  using Elements = std::shared_ptr<const xmpp::Element>;

  runtime::Task<void> Group(RunPtr run, std::vector<size_t> parts);
  runtime::Task<void> Part(RunPtr run, size_t index);
  runtime::Task<bool> Account(RunPtr run, size_t index);
  runtime::Task<void> Take(RunPtr run, xmpp::BareJid owner, Elements element);
  runtime::Task<void> Roster(RunPtr run, xmpp::BareJid owner, Elements query);
  runtime::Task<void> Contact(RunPtr run, xmpp::BareJid owner, Elements query, size_t index);
  runtime::Task<void> Request(RunPtr run, xmpp::BareJid owner, Elements presence);
  runtime::Task<void> Offline(RunPtr run, xmpp::BareJid owner, Elements messages);
  runtime::Task<void> Collection(RunPtr run, xmpp::BareJid owner, Elements element);
  runtime::Task<void> Archive(RunPtr run, xmpp::BareJid owner, Elements archive);

  Shard* const shard_;
  AccountAdmin* const accounts_;
};

}  // namespace business
