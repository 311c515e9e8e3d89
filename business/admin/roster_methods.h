// Rosters, as an operator sees and changes them.
#pragma once

#include <string>

#include "business/admin/admin_answer.h"
#include "business/store/roster_store.h"
#include "lib/runtime/task.h"

namespace xylem::v1 {
class RemoveContactRequest;
class RosterRequest;
class SetContactRequest;
}  // namespace xylem::v1

namespace business {

struct Shard;

// Lives on loop 0, whose shard it uses: clients get their pushes as from their own changes.
class RosterMethods {
 public:
  explicit RosterMethods(Shard* shard) : shard_(shard) {}

  runtime::Task<AdminAnswer> List(xylem::v1::RosterRequest request);
  // `mirror`: the contact's side as well. Presence is not shown at once: it is at the next change.
  runtime::Task<AdminAnswer> Set(xylem::v1::SetContactRequest request);
  // As if the account's client had done it: both subscriptions end.
  runtime::Task<AdminAnswer> Remove(xylem::v1::RemoveContactRequest request);

 private:
  runtime::Task<AdminAnswer> ListOf(std::string jid);

  Shard* const shard_;
};

}  // namespace business
