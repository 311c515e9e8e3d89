#include "business/features/registrar.h"

#include <chrono>
#include <optional>
#include <utility>

#include "business/auth/account_admin.h"
#include "business/auth/address_failures.h"
#include "business/auth/password_workers.h"
#include "business/features/befriending.h"
#include "business/features/store_trouble.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/cluster/redis_keys.h"
#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"
#include "lib/runtime/process.h"
#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/stanza_error.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using runtime::Task;
using xmpp::Element;
using xmpp::StanzaError;
using Outcome = AccountAdmin::Outcome;

// A request that comes again within this time is the same one.
constexpr int64_t kSameRequestSeconds = 60;

// Accounts of one address: from the first one on, for a time.
const runtime::RedisScript kCountScript("count_registration", R"lua(
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return n
)lua");
// One was not made. What has expired in the meantime stays gone.
const runtime::RedisScript kUncountScript("uncount_registration", R"lua(
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('DECR', KEYS[1]) end
return 0
)lua");

std::string Start(const Stranger& stranger, const Element& iq, std::string_view type) {
  std::string out = "<iq";
  xmpp::AppendAttribute(&out, "from", stranger.domain);
  xmpp::AppendAttribute(&out, "type", type);
  xmpp::AppendAttribute(&out, "id", iq.Attr("id"));
  return out;
}

std::string Success(const Stranger& stranger, const Element& iq) {
  return Start(stranger, iq, "result") + "/>";
}

std::string Failure(const Stranger& stranger, const Element& iq, const StanzaError& error) {
  return Start(stranger, iq, "error") + ">" + error.ToXml() + "</iq>";
}

void Count(const char* result) {
  runtime::Metrics::Get()
      .GetCounter("xylem_registrations_total", "Accounts that strangers wanted to make",
                  {{"result", result}})
      .Add();
}

StanzaError Refusal(Outcome outcome) {
  switch (outcome) {
    case Outcome::kExists:
      return StanzaError::Conflict("the name is taken");
    case Outcome::kBadPassword:
      return StanzaError::NotAcceptable("this cannot be a password");
    case Outcome::kBadJid:
      return StanzaError::NotAcceptable("this cannot be a name");
    default:
      return StanzaError::NotAllowed();
  }
}

std::string TextOf(const Element& query, std::string_view name) {
  const Element* child = query.Find(name, ns::kRegister);
  return child == nullptr ? std::string() : child->Text();
}

}  // namespace

Registrar::Registrar(Shard* shard, PasswordWorkers* workers, const ServiceOptions& options)
    : shard_(shard),
      workers_(workers),
      options_(options.registration),
      invitations_(shard, options.invitations) {}

bool Registrar::Open(const Stranger& stranger) const {
  return options_.open || !stranger.invitation.empty();
}

std::string Registrar::Features(const Stranger& stranger) {
  if (!stranger.tls) return {};  // a password would go over the network in the clear
  std::string features = "<register xmlns='" + std::string(ns::kIbrToken) + "'/>";
  if (options_.open) features += "<register xmlns='" + std::string(ns::kRegisterFeature) + "'/>";
  return features;
}

Task<std::string> Registrar::Answer(std::shared_ptr<Stranger> stranger, std::string bytes) {
  if (++stranger->asked > kMostIqs) co_return std::string();
  const auto iq = Element::Parse(bytes);
  const Element* payload = iq ? iq->FirstChild() : nullptr;
  if (payload == nullptr || iq->Attr("id").empty()) co_return std::string();
  const bool set = iq->Attr("type") == "set";
  if (!set && iq->Attr("type") != "get") co_return std::string();
  if (!stranger->tls) co_return Failure(*stranger, *iq, StanzaError::NotAllowed("TLS is needed"));
  if (payload->Is("preauth", ns::kPreauth) && set) {
    std::string answer = co_await ShowInvitation(stranger, *iq);
    co_return answer;
  }
  if (!payload->Is("query", ns::kRegister)) {
    co_return Failure(*stranger, *iq, StanzaError::ServiceUnavailable());
  }
  if (!Open(*stranger)) {
    Count("closed");
    co_return Failure(*stranger, *iq, StanzaError::NotAllowed("accounts are made by invitation"));
  }
  if (set) {
    std::string answer = co_await Register(stranger, *iq);
    co_return answer;
  }
  Element form("query", ns::kRegister);
  form.Add("instructions", ns::kRegister).AddText("Choose a name and a password.");
  form.Add("username", ns::kRegister);
  form.Add("password", ns::kRegister);
  co_return Start(*stranger, *iq, "result") + ">" + form.Write() + "</iq>";
}

Task<std::string> Registrar::ShowInvitation(std::shared_ptr<Stranger> stranger, Element iq) {
  std::string token(iq.FirstChild()->Attr("token"));
  const auto found = co_await invitations_.Find(token);
  if (!found) co_return Failure(*stranger, iq, StoreTrouble(found.error()));
  if (!*found || (*found)->domain != stranger->domain) {
    Count("bad_invitation");
    co_return Failure(*stranger, iq,
                      StanzaError::ItemNotFound("The invitation is not valid, or not any more."));
  }
  stranger->invitation = std::move(token);
  co_return Success(*stranger, iq);
}

Task<std::string> Registrar::Register(std::shared_ptr<Stranger> stranger, Element iq) {
  const Element& query = *iq.FirstChild();
  const std::string password = TextOf(query, "password");
  const auto account = xmpp::BareJid::Parse(TextOf(query, "username") + "@" + stranger->domain);
  if (!account || password.empty()) {
    co_return Failure(*stranger, iq,
                      StanzaError::NotAcceptable("a name and a password are needed"));
  }
  std::optional<Invitation> invitation;
  const std::string token = stranger->invitation;
  if (!token.empty()) {
    auto found = co_await invitations_.Find(token);
    if (!found) co_return Failure(*stranger, iq, StoreTrouble(found.error()));
    invitation = *std::move(found);
    const bool other =
        invitation && !invitation->username.empty() && invitation->username != account->local();
    if (other) {
      co_return Failure(*stranger, iq, StanzaError::NotAcceptable("the invitation names another"));
    }
  }
  const bool just_made = co_await JustMade(*account, password);
  if (!just_made) {
    if (!invitation && !options_.open) {
      co_return Failure(*stranger, iq, StanzaError::NotAllowed("the invitation is used up"));
    }
    bool may = true;
    if (!invitation) may = co_await MayRegister(stranger->peer_address);
    if (!may) {
      Count("too_many");
      co_return Failure(*stranger, iq,
                        StanzaError::ResourceConstraint("too many from this address"));
    }
    const Result<Outcome> added = co_await shard_->accounts->Add(account->ToString(), password);
    if (!added) co_return Failure(*stranger, iq, StoreTrouble(added.error()));
    if (*added != Outcome::kDone) {
      Count("refused");
      if (!invitation) co_await GiveBack(stranger->peer_address);
      co_return Failure(*stranger, iq, Refusal(*added));
    }
    Count("made");
    runtime::LogInfo("account_registered", "A stranger made an account.",
                     {{"jid", account->ToString()},
                      {"remote_ip", stranger->peer_address},
                      {"inviter", invitation ? invitation->inviter.ToString() : std::string()}});
    runtime::KillPoint("registration.made");
  }
  if (invitation) {
    if (invitation->contact) co_await Befriend(shard_, invitation->inviter, *account);
    // Behind everything else: until the end it can be shown again.
    const auto used = co_await invitations_.Use(token);
    (void)used;  // what is not used up now expires
  }
  co_return Success(*stranger, iq);
}

Task<bool> Registrar::MayRegister(std::string peer_address) {
  std::vector<std::string> keys{cluster::RegistrationsKey(AddressGroup(peer_address))};
  std::vector<std::string> args{std::to_string(options_.per_address_time.count())};
  const auto count = co_await shard_->redis->Eval(kCountScript, std::move(keys), std::move(args));
  // Without Redis nobody is counted, and nobody is let in.
  co_return count && !count->IsError() && count->integer <= options_.per_address;
}

Task<void> Registrar::GiveBack(std::string peer_address) {
  std::vector<std::string> keys{cluster::RegistrationsKey(AddressGroup(peer_address))};
  co_await shard_->redis->Eval(kUncountScript, std::move(keys), {});
}

Task<bool> Registrar::JustMade(xmpp::BareJid account, std::string password) {
  const auto found = co_await shard_->stores->accounts->Find(account);
  if (!found || !*found || (*found)->keys.empty()) co_return false;
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  if (now - (*found)->created > kSameRequestSeconds) co_return false;
  const auto prepared = xmpp::PreparePassword(password);
  if (!prepared) co_return false;
  const auto same = co_await workers_->Check(shard_->loop, (*found)->keys.front(), *prepared);
  co_return same&&* same;
}

}  // namespace business
