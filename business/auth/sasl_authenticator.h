// The Authenticator: streams, their exchanges, and what is looked up and hashed for them.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "business/auth/address_failures.h"
#include "business/auth/auth_metrics.h"
#include "business/auth/authenticator.h"
#include "business/auth/sasl_element.h"
#include "business/auth/sasl_stream.h"
#include "lib/runtime/task.h"

namespace business {

// Lives on its loop. Coroutines hold their stream, not its place in the table, and look after each
// wait whether it is still theirs; the destructor makes all streams kGone.
class SaslAuthenticator final : public Authenticator {
 public:
  SaslAuthenticator(runtime::EventLoop* loop, Options options, AccountCache* accounts,
                    PasswordWorkers* workers, const cluster::TicketSealer* sealer);
  ~SaslAuthenticator() override;

  void OnOpened(const ManagerLinkPtr& link, const xylem::v1::Opened& opened) override;
  void OnSasl(const ManagerLinkPtr& link, const xylem::v1::Negotiate& element) override;
  void OnIq(const ManagerLinkPtr& link, const xylem::v1::Negotiate& element) override;
  void OnConnectionClosed(const ManagerLinkPtr& link, uint64_t connection) override;
  void OnLinkDown(const ManagerLinkPtr& link) override;
  void SetDomains(std::vector<std::string> domains) override;

 private:
  runtime::Task<void> AnswerIq(SaslStreamPtr stream, std::string iq);
  using Step = xmpp::sasl::Step;
  using Streams = absl::flat_hash_map<uint64_t, SaslStreamPtr>;  // by connection

  SaslStreamPtr FindStream(const ManagerLinkPtr& link, uint64_t connection) const;
  void Drop(const ManagerLinkPtr& link, uint64_t connection);
  bool Serves(std::string_view domain) const;
  bool Enabled(std::string_view mechanism) const;

  void OnAuth(const SaslStreamPtr& stream, SaslElement element);
  void OnResponse(const SaslStreamPtr& stream, SaslElement element);
  static void OnExchangeTime(runtime::Timer* timer);

  // Takes the exchange from `step` to where the client has to speak, or to its end.
  runtime::Task<void> Advance(SaslStreamPtr stream, Step step);
  // Each waits and gives the exchange's next step; nullopt: nobody waits for it any more.
  runtime::Task<std::optional<Step>> LookUpKeys(SaslStreamPtr stream, Step step);
  runtime::Task<std::optional<Step>> CheckPassword(SaslStreamPtr stream, Step step);
  // The password was right: whether the account may log in now.
  runtime::Task<std::optional<Step>> CheckAccount(SaslStreamPtr stream, Step step);
  xmpp::sasl::ScramKeys KeysOrFake(const SaslStream& stream, const Step& step,
                                   const xmpp::sasl::ScramKeys* keys) const;

  void Challenge(const SaslStreamPtr& stream, const Step& step);
  void Succeed(const SaslStreamPtr& stream, const Step& step);
  void Fail(const SaslStreamPtr& stream, std::string_view condition);
  // The attempt is over: answers now, or later where too many failed before.
  void Answer(const SaslStreamPtr& stream, xylem::v1::Negotiated answer);
  void Finish(const SaslStreamPtr& stream, xylem::v1::Negotiated answer);

  runtime::EventLoop* const loop_;
  Options options_;
  AccountCache* const accounts_;
  PasswordWorkers* const workers_;
  const cluster::TicketSealer* const sealer_;

  absl::flat_hash_map<const ManagerLink*, Streams> links_;
  size_t streams_ = 0;
  AddressFailures failures_;
  AuthMetrics metrics_;
};

}  // namespace business
