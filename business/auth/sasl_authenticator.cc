#include "business/auth/sasl_authenticator.h"

#include <algorithm>
#include <utility>

#include "business/auth/password_workers.h"
#include "lib/runtime/log.h"
#include "proto/connmgr_business.pb.h"
#include "proto/ticket.pb.h"

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::StreamCondition;
using xmpp::sasl::Hash;
using xmpp::sasl::ScramKeys;
using xmpp::sasl::Step;
using xylem::v1::Negotiated;
using State = SaslStream::State;

namespace {

constexpr std::string_view kAborted = "aborted";
constexpr std::string_view kAccountDisabled = "account-disabled";
constexpr std::string_view kEncryptionRequired = "encryption-required";
constexpr std::string_view kIncorrectEncoding = "incorrect-encoding";
constexpr std::string_view kInvalidMechanism = "invalid-mechanism";
constexpr std::string_view kMalformedRequest = "malformed-request";
constexpr std::string_view kNotAuthorized = "not-authorized";
constexpr std::string_view kTemporary = "temporary-auth-failure";

Negotiated FailureAnswer(uint64_t connection, std::string_view condition) {
  Negotiated answer;
  answer.set_connection(connection);
  answer.set_outcome(Negotiated::FAILED);
  answer.set_reply(WriteFailure(condition));
  return answer;
}

Negotiated CloseAnswer(uint64_t connection, StreamCondition condition, const char* text) {
  Negotiated answer;
  answer.set_connection(connection);
  answer.set_outcome(Negotiated::CLOSE);
  answer.mutable_error()->set_condition(std::string(xmpp::ConditionName(condition)));
  answer.mutable_error()->set_text(text);
  return answer;
}

const ScramKeys* KeysOf(const AccountCache::AccountPtr& account, Hash hash) {
  if (account == nullptr) return nullptr;
  for (const ScramKeys& keys : account->keys) {
    if (keys.hash == hash) return &keys;
  }
  return nullptr;
}

// A password can be checked against any. That of an unknown user is checked against SHA-256: so is
// everybody's who has it.
const ScramKeys* PasswordKeysOf(const AccountCache::AccountPtr& account) {
  for (const Hash hash : {Hash::kSha256, Hash::kSha1, Hash::kSha512}) {
    if (const ScramKeys* keys = KeysOf(account, hash)) return keys;
  }
  return nullptr;
}

bool SamePassword(const Account& a, const Account& b) {
  return std::equal(a.keys.begin(), a.keys.end(), b.keys.begin(), b.keys.end(),
                    [](const ScramKeys& x, const ScramKeys& y) {
                      return x.hash == y.hash && x.salt == y.salt && x.stored_key == y.stored_key;
                    });
}

// Whether an attempt that ended so may have been a guess.
bool IsGuess(std::string_view condition) {
  return condition == kNotAuthorized || condition == "invalid-authzid" ||
         condition == kAccountDisabled;
}

}  // namespace

std::unique_ptr<Authenticator> Authenticator::Create(runtime::EventLoop* loop, Options options,
                                                     AccountCache* accounts,
                                                     PasswordWorkers* workers,
                                                     const cluster::TicketSealer* sealer) {
  return std::make_unique<SaslAuthenticator>(loop, std::move(options), accounts, workers, sealer);
}

SaslAuthenticator::SaslAuthenticator(runtime::EventLoop* loop, Options options,
                                     AccountCache* accounts, PasswordWorkers* workers,
                                     const cluster::TicketSealer* sealer)
    : loop_(loop),
      options_(std::move(options)),
      accounts_(accounts),
      workers_(workers),
      sealer_(sealer) {
  for (std::string& domain : options_.domains) {
    domain = xmpp::NormalizeDomainpart(domain).value_or(domain);
  }
}

SaslAuthenticator::~SaslAuthenticator() {
  for (auto& [link, streams] : links_) {
    for (auto& [connection, stream] : streams) stream->SetState(State::kGone);
  }
  metrics_.streams.Add(-static_cast<int64_t>(streams_));
}

// ---- streams come and go ----

void SaslAuthenticator::OnOpened(const ManagerLinkPtr& link, const xylem::v1::Opened& opened) {
  loop_->AssertInLoop();
  if (!link->alive()) return;
  Drop(link, opened.connection());  // the stream before STARTTLS
  if (!Serves(opened.domain())) {
    return link->SendNegotiated(
        CloseAnswer(opened.connection(), StreamCondition::kHostUnknown, ""));
  }
  if (streams_ >= options_.max_streams) {
    metrics_.refused_full.Add();
    return link->SendNegotiated(CloseAnswer(
        opened.connection(), StreamCondition::kResourceConstraint, "too many are logging in"));
  }
  auto stream = std::make_shared<SaslStream>(this, &OnExchangeTime, link, opened.connection());
  stream->domain = opened.domain();
  stream->peer_address = opened.peer_address();
  stream->tls = !opened.tls_version().empty();
  stream->bindings = {.tls_exporter = opened.tls_exporter(),
                      .tls_server_end_point = opened.tls_server_end_point(),
                      .tls_unique = opened.tls_unique()};
  stream->offer = xmpp::sasl::MakeOffer(stream->tls, stream->bindings, options_.mechanisms);
  links_[link.get()][opened.connection()] = stream;
  ++streams_;
  metrics_.streams.Add(1);

  stream->stranger = std::make_shared<Stranger>(
      Stranger{.domain = stream->domain, .peer_address = stream->peer_address, .tls = stream->tls});

  Negotiated answer;
  answer.set_connection(opened.connection());
  answer.set_outcome(Negotiated::FEATURES);
  std::string features = WriteOffer(stream->offer);
  if (options_.strangers != nullptr) features += options_.strangers->Features(*stream->stranger);
  answer.set_features(std::move(features));
  link->SendNegotiated(std::move(answer));
}

void SaslAuthenticator::OnConnectionClosed(const ManagerLinkPtr& link, uint64_t connection) {
  loop_->AssertInLoop();
  Drop(link, connection);
}

void SaslAuthenticator::OnLinkDown(const ManagerLinkPtr& link) {
  loop_->AssertInLoop();
  const auto found = links_.find(link.get());
  if (found == links_.end()) return;
  const size_t gone = found->second.size();
  for (auto& [connection, stream] : found->second) stream->SetState(State::kGone);
  links_.erase(found);
  streams_ -= gone;
  metrics_.streams.Add(-static_cast<int64_t>(gone));
}

SaslStreamPtr SaslAuthenticator::FindStream(const ManagerLinkPtr& link, uint64_t connection) const {
  const auto streams = links_.find(link.get());
  if (streams == links_.end()) return nullptr;
  const auto found = streams->second.find(connection);
  return found == streams->second.end() ? nullptr : found->second;
}

void SaslAuthenticator::Drop(const ManagerLinkPtr& link, uint64_t connection) {
  const auto streams = links_.find(link.get());
  if (streams == links_.end()) return;
  const auto found = streams->second.find(connection);
  if (found == streams->second.end()) return;
  found->second->SetState(State::kGone);
  streams->second.erase(found);
  if (streams->second.empty()) links_.erase(streams);
  --streams_;
  metrics_.streams.Add(-1);
}

void SaslAuthenticator::SetDomains(std::vector<std::string> domains) {
  loop_->AssertInLoop();
  options_.domains = std::move(domains);
}

bool SaslAuthenticator::Serves(std::string_view domain) const {
  return std::find(options_.domains.begin(), options_.domains.end(), domain) !=
         options_.domains.end();
}

bool SaslAuthenticator::Enabled(std::string_view mechanism) const {
  const auto& enabled = options_.mechanisms;
  return enabled.empty() || std::find(enabled.begin(), enabled.end(), mechanism) != enabled.end();
}

// ---- what the client says ----

void SaslAuthenticator::OnSasl(const ManagerLinkPtr& link, const xylem::v1::Negotiate& negotiate) {
  loop_->AssertInLoop();
  if (!link->alive()) return;
  const SaslStreamPtr stream = FindStream(link, negotiate.connection());
  // Opened at a server that is gone, and its exchange with it.
  if (stream == nullptr) {
    metrics_.CountAttempt("", kTemporary);
    return link->SendNegotiated(FailureAnswer(negotiate.connection(), kTemporary));
  }
  auto element = ReadSaslElement(negotiate.element());
  if (!element) return Fail(stream, kMalformedRequest);
  switch (element->kind) {
    case SaslElement::Kind::kAuth:
      return OnAuth(stream, std::move(*element));
    case SaslElement::Kind::kResponse:
      return OnResponse(stream, std::move(*element));
    case SaslElement::Kind::kAbort:
      return Fail(stream, kAborted);
  }
}

void SaslAuthenticator::OnIq(const ManagerLinkPtr& link, const xylem::v1::Negotiate& negotiate) {
  loop_->AssertInLoop();
  if (!link->alive()) return;
  if (options_.strangers == nullptr) {
    return link->SendNegotiated(
        CloseAnswer(negotiate.connection(), StreamCondition::kNotAuthorized, ""));
  }
  const SaslStreamPtr stream = FindStream(link, negotiate.connection());
  // Opened at a server that is gone, and with it what it knew of the stream.
  if (stream == nullptr) {
    return link->SendNegotiated(CloseAnswer(negotiate.connection(),
                                            StreamCondition::kRemoteConnectionFailed, ""));
  }
  runtime::Spawn(AnswerIq(stream, negotiate.element()));
}

Task<void> SaslAuthenticator::AnswerIq(SaslStreamPtr stream, std::string iq) {
  std::string reply = co_await options_.strangers->Answer(stream->stranger, std::move(iq));
  if (!stream->link->alive() || stream->state() == State::kGone) co_return;
  if (reply.empty()) {
    co_return stream->link->SendNegotiated(
        CloseAnswer(stream->connection, StreamCondition::kPolicyViolation, ""));
  }
  Negotiated answer;
  answer.set_connection(stream->connection);
  answer.set_outcome(Negotiated::CONTINUE);
  answer.set_reply(std::move(reply));
  stream->link->SendNegotiated(std::move(answer));
}

void SaslAuthenticator::OnAuth(const SaslStreamPtr& stream, SaslElement element) {
  // An attempt that is given up for another counts as one.
  if (stream->state() != State::kIdle && stream->state() != State::kTimedOut) {
    return Fail(stream, kMalformedRequest);
  }
  const std::string& name = element.mechanism;
  stream->Begin(name, xmpp::sasl::ServerExchange::Start(name, stream->offer, stream->bindings,
                                                        stream->domain));
  if (!stream->HasExchange()) {
    const bool needs_tls = name == "PLAIN" && !stream->tls && Enabled(name);
    return Fail(stream, needs_tls ? kEncryptionRequired : kInvalidMechanism);
  }
  if (element.bad_encoding) return Fail(stream, kIncorrectEncoding);
  loop_->Arm(stream.get(), options_.exchange_time);
  runtime::Spawn(Advance(stream, stream->exchange().Respond(element.data)));
}

void SaslAuthenticator::OnResponse(const SaslStreamPtr& stream, SaslElement element) {
  if (stream->state() == State::kTimedOut) return Fail(stream, kTemporary);
  if (stream->state() != State::kAwaitResponse) return Fail(stream, kMalformedRequest);
  if (element.bad_encoding) return Fail(stream, kIncorrectEncoding);
  stream->SetState(State::kWorking);
  runtime::Spawn(Advance(stream, stream->exchange().Respond(element.data)));
}

void SaslAuthenticator::OnExchangeTime(runtime::Timer* timer) {
  const SaslStreamPtr stream = static_cast<SaslStream*>(timer)->shared_from_this();
  SaslAuthenticator& self = *stream->owner;
  self.metrics_.timed_out.Add();
  // A client that has not spoken waits for no answer.
  if (stream->state() == State::kAwaitResponse) return stream->SetState(State::kTimedOut);
  self.Fail(stream, kTemporary);
}

// ---- the exchange ----

Task<void> SaslAuthenticator::Advance(SaslStreamPtr stream, Step step) {
  while (true) {
    std::optional<Step> next;
    switch (step.kind) {
      case Step::Kind::kNeedKeys:
        next = co_await LookUpKeys(stream, std::move(step));
        break;
      case Step::Kind::kCheckPassword:
        next = co_await CheckPassword(stream, std::move(step));
        break;
      case Step::Kind::kSuccess:
        next = co_await CheckAccount(stream, std::move(step));
        if (!next) co_return;
        if (next->kind == Step::Kind::kSuccess) co_return Succeed(stream, *next);
        break;
      case Step::Kind::kChallenge:
        co_return Challenge(stream, step);
      case Step::Kind::kFailure:
        co_return Fail(stream, step.condition);
    }
    if (!next) co_return;
    step = std::move(*next);
  }
}

Task<std::optional<Step>> SaslAuthenticator::LookUpKeys(SaslStreamPtr stream, Step step) {
  const SaslStream::Turn turn = stream->turn();
  const auto found = co_await accounts_->Find(stream->JidOf(step.username));
  if (!stream->StillAt(turn)) co_return std::nullopt;
  if (!found.has_value()) co_return Step::Failure(kTemporary);
  stream->account = *found;
  const ScramKeys* keys = KeysOf(stream->account, step.hash);
  co_return stream->exchange().SetKeys(KeysOrFake(*stream, step, keys), keys != nullptr);
}

Task<std::optional<Step>> SaslAuthenticator::CheckPassword(SaslStreamPtr stream, Step step) {
  const SaslStream::Turn turn = stream->turn();
  const auto found = co_await accounts_->Find(stream->JidOf(step.username));
  if (!stream->StillAt(turn)) co_return std::nullopt;
  if (!found.has_value()) co_return Step::Failure(kTemporary);
  stream->account = *found;
  const ScramKeys* keys = PasswordKeysOf(stream->account);
  const bool exists = keys != nullptr;
  ScramKeys checked = KeysOrFake(*stream, step, keys);
  const auto right = co_await workers_->Check(loop_, std::move(checked), std::move(step.password));
  if (!stream->StillAt(turn)) co_return std::nullopt;
  if (!right.has_value()) co_return Step::Failure(kTemporary);
  co_return stream->exchange().SetPasswordResult(*right && exists);
}

Task<std::optional<Step>> SaslAuthenticator::CheckAccount(SaslStreamPtr stream, Step step) {
  const SaslStream::Turn turn = stream->turn();
  // Again: an account that was locked while the client thought is not let in behind the lock.
  const auto found = co_await accounts_->Find(stream->JidOf(step.username));
  if (!stream->StillAt(turn)) co_return std::nullopt;
  if (!found.has_value()) co_return Step::Failure(kTemporary);
  const AccountCache::AccountPtr& now = *found;
  if (now == nullptr || !SamePassword(*now, *stream->account)) {
    co_return Step::Failure(kNotAuthorized);
  }
  if (now->locked) co_return Step::Failure(kAccountDisabled);
  co_return step;
}

// tests/attacks, row 26: the same work whether the user exists or not. The bare JID, not the
// localpart, goes into the fake salt: one that is the same at two domains would tell.
ScramKeys SaslAuthenticator::KeysOrFake(const SaslStream& stream, const Step& step,
                                        const ScramKeys* keys) const {
  ScramKeys fake =
      xmpp::sasl::FakeKeys(step.hash, options_.fake_salt_secret,
                           stream.JidOf(step.username).ToString(), options_.scram_iterations);
  return keys != nullptr ? *keys : std::move(fake);
}

// ---- answers ----

void SaslAuthenticator::Challenge(const SaslStreamPtr& stream, const Step& step) {
  stream->SetState(State::kAwaitResponse);
  Negotiated answer;
  answer.set_connection(stream->connection);
  answer.set_outcome(Negotiated::CONTINUE);
  answer.set_reply(WriteChallenge(step.data));
  stream->link->SendNegotiated(std::move(answer));
}

void SaslAuthenticator::Succeed(const SaslStreamPtr& stream, const Step& step) {
  metrics_.CountAttempt(stream->mechanism(), "success");
  const std::string account = stream->JidOf(step.username).ToString();
  xylem::v1::SealedTicket ticket;
  ticket.set_version(1);
  ticket.set_account(account);
  ticket.set_mechanism(stream->mechanism());
  ticket.set_manager(stream->link->manager());
  ticket.set_manager_incarnation(stream->link->incarnation());
  ticket.set_connection(stream->connection);
  ticket.set_peer_address(stream->peer_address);

  Negotiated answer;
  answer.set_connection(stream->connection);
  answer.set_outcome(Negotiated::AUTHENTICATED);
  answer.set_reply(WriteSuccess(step.data));
  answer.set_account(account);
  answer.set_ticket(sealer_->Seal(ticket.SerializeAsString()));
  Answer(stream, std::move(answer));
}

void SaslAuthenticator::Fail(const SaslStreamPtr& stream, std::string_view condition) {
  metrics_.CountAttempt(stream->mechanism(), condition);
  // No username: people type their password there.
  runtime::LogInfo("auth_failed", "An attempt to log in failed.",
                   {{"conn_id", stream->connection},
                    {"remote_ip", stream->peer_address},
                    {"mechanism", stream->mechanism()},
                    {"condition", condition}});
  Answer(stream, FailureAnswer(stream->connection, condition));
  if (IsGuess(condition)) failures_.Add(stream->peer_address, loop_->NowMs());
}

void SaslAuthenticator::Answer(const SaslStreamPtr& stream, Negotiated answer) {
  if (failures_.Count(stream->peer_address, loop_->NowMs()) < options_.failures_per_address) {
    return Finish(stream, std::move(answer));
  }
  // A success as well: an answer that comes at once would tell before the others do.
  metrics_.delayed.Add();
  stream->SetState(State::kAnswering);
  loop_->RunAfter(options_.failure_delay,
                  [this, stream, turn = stream->turn(), answer = std::move(answer)]() mutable {
                    if (stream->StillAt(turn)) Finish(stream, std::move(answer));
                  });
}

void SaslAuthenticator::Finish(const SaslStreamPtr& stream, Negotiated answer) {
  if (answer.outcome() == Negotiated::AUTHENTICATED) {
    Drop(stream->link, stream->connection);
  } else {
    stream->SetState(State::kIdle);
  }
  stream->link->SendNegotiated(std::move(answer));
}

}  // namespace business
