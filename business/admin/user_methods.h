// Accounts, as an operator manages them.
#pragma once

#include <string>

#include "business/admin/admin_answer.h"
#include "lib/runtime/task.h"

namespace xylem::v1 {
class AddUserRequest;
class ListUsersRequest;
class LockUserRequest;
class SetPasswordRequest;
class UserRequest;
}  // namespace xylem::v1

namespace business {

class AccountAdmin;
class SessionKicker;

// Lives on loop 0. What changed is logged with its JID, never with a password.
class UserMethods {
 public:
  UserMethods(AccountAdmin* accounts, SessionKicker* sessions)
      : accounts_(accounts), sessions_(sessions) {}

  runtime::Task<AdminAnswer> Add(xylem::v1::AddUserRequest request);
  runtime::Task<AdminAnswer> SetPassword(xylem::v1::SetPasswordRequest request);
  // Ends its sessions too. Repeated after an error it ends those that were left.
  runtime::Task<AdminAnswer> Delete(xylem::v1::UserRequest request);
  // Locking ends its sessions too.
  runtime::Task<AdminAnswer> Lock(xylem::v1::LockUserRequest request);
  runtime::Task<AdminAnswer> Get(xylem::v1::UserRequest request);
  runtime::Task<AdminAnswer> List(xylem::v1::ListUsersRequest request);

 private:
  runtime::Task<AdminAnswer> Changed(std::string jid, const char* event);

  AccountAdmin* const accounts_;
  SessionKicker* const sessions_;
};

}  // namespace business
