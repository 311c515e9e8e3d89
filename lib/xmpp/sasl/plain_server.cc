#include "lib/xmpp/sasl/plain_server.h"

#include <algorithm>

#include "lib/xmpp/jid.h"
#include "lib/xmpp/precis.h"
#include "lib/xmpp/sasl/identity.h"

namespace xmpp::sasl {

Step PlainServer::Respond(std::optional<std::string_view> message) {
  if (state_ == State::kStart && !message) {
    state_ = State::kAwaitMessage;
    return Step::Challenge("");  // RFC 4422 §5: the client has the first word
  }
  if ((state_ != State::kStart && state_ != State::kAwaitMessage) || !message) {
    return Fail("malformed-request");
  }

  // message = [authzid] NUL authcid NUL passwd
  if (std::count(message->begin(), message->end(), '\0') != 2) return Fail("malformed-request");
  const size_t first = message->find('\0');
  const size_t second = message->find('\0', first + 1);
  const std::string_view authzid = message->substr(0, first);
  const std::string_view authcid = message->substr(first + 1, second - first - 1);
  const std::string_view password = message->substr(second + 1);
  if (authzid.size() > kMaxJidBytes || authcid.empty() || authcid.size() > kMaxJidPartBytes ||
      password.empty() || password.size() > kMaxJidPartBytes || !DecodeUtf8(*message)) {
    return Fail("malformed-request");
  }

  std::optional<std::string> username = NormalizeLocalpart(authcid);
  std::optional<std::string> prepared = PreparePassword(password);
  if (!username || !prepared) return Fail("not-authorized");
  if (!NamesAccount(authzid, *username, domain_)) return Fail("invalid-authzid");
  username_ = std::move(*username);
  state_ = State::kAwaitResult;
  return Step{
      .kind = Step::Kind::kCheckPassword, .username = username_, .password = std::move(*prepared)};
}

Step PlainServer::SetKeys(const ScramKeys&, bool) { return Fail("temporary-auth-failure"); }

Step PlainServer::SetPasswordResult(bool right) {
  if (state_ != State::kAwaitResult || !right) return Fail("not-authorized");
  state_ = State::kOver;
  return Step{.kind = Step::Kind::kSuccess, .username = username_};
}

Step PlainServer::Fail(std::string_view condition) {
  state_ = State::kOver;
  return Step::Failure(condition);
}

}  // namespace xmpp::sasl
