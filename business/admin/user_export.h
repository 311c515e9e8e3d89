// An account with its data, page by page (XEP-0227).
#pragma once

#include "business/admin/admin_answer.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace xylem::v1 {
class ExportUserRequest;
class ExportUserResponse;
}  // namespace xylem::v1

namespace business {

class AccountAdmin;
struct Shard;

// Lives on loop 0. First all but messages, then offline messages, then the archive if asked for:
// `next` is "offline" or "archive", and behind a colon where to go on.
class UserExport {
 public:
  UserExport(Shard* shard, AccountAdmin* accounts) : shard_(shard), accounts_(accounts) {}

  runtime::Task<AdminAnswer> Export(xylem::v1::ExportUserRequest request);

 private:
  using Response = xylem::v1::ExportUserResponse;
  runtime::Task<AdminAnswer> Account(xmpp::BareJid owner);
  runtime::Task<AdminAnswer> Offline(xmpp::BareJid owner, int64_t after, bool archive);
  runtime::Task<AdminAnswer> Archive(xmpp::BareJid owner, std::string after);

  Shard* const shard_;
  AccountAdmin* const accounts_;
};

}  // namespace business
