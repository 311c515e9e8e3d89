#include "business/features/invitations.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>
#include <openssl/sha.h>

#include <utility>

#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/cluster/base32.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/sasl/scram_keys.h"

namespace business {
namespace {

using runtime::Result;
using runtime::Task;

// A token is a secret of this many base32 characters, and behind it the inviter: any server finds
// his collection by it.
constexpr size_t kSecretBytes = 15;
constexpr size_t kSecretChars = 24;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// What is stored: who reads the store learns no token.
std::string KeyOf(const std::string& token) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest);
  return cluster::HexBytes(std::string_view(reinterpret_cast<const char*>(digest), 16));
}

std::string Write(const Invitation& invitation) {
  return "1\n" + std::to_string(invitation.expires_ms) + "\n" + invitation.domain + "\n" +
         invitation.username + "\n" + (invitation.contact ? "contact" : "");
}

std::optional<Invitation> Read(const xmpp::BareJid& inviter, const std::string& text) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  Invitation invitation;
  if (lines.size() < 5 || lines[0] != "1" || !absl::SimpleAtoi(lines[1], &invitation.expires_ms)) {
    return std::nullopt;
  }
  invitation.inviter = inviter;
  invitation.domain = lines[2];
  invitation.username = lines[3];
  invitation.contact = lines[4] == "contact";
  return invitation;
}

std::optional<xmpp::BareJid> InviterOf(const std::string& token) {
  if (token.size() <= kSecretChars || token.size() > 2048) return std::nullopt;
  const auto jid = cluster::ParseBase32(std::string_view(token).substr(kSecretChars));
  return jid ? xmpp::BareJid::Parse(*jid) : std::nullopt;
}

// A URI of XEP-0147 has these in it only if they mean something.
std::string Escaped(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || c == '@' || c == ':';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace

Task<Result<std::optional<std::string>>> Invitations::Make(Invitation* invitation) {
  AccountDataStore& store = *shard_->stores->account_data;
  const xmpp::BareJid inviter = invitation->inviter;
  Result<DataCollection> given = co_await store.List(inviter, DataType::kInvitations);
  if (!given) co_return given.error();
  const int64_t now_ms = NowMs();
  DataChange change;
  for (const DataEntry& entry : given->entries) {
    const auto old = Read(inviter, entry.value);
    if (!old || old->expires_ms <= now_ms) change.remove.push_back(entry.key);
  }
  invitation->expires_ms = now_ms + options_.lifetime.count();
  std::string token =
      cluster::Base32(xmpp::sasl::RandomBytes(kSecretBytes)) + cluster::Base32(inviter.ToString());
  change.put.push_back({.key = KeyOf(token), .value = Write(*invitation)});
  change.max_entries = options_.per_account;
  Result<DataChanged> changed =
      co_await store.Change(inviter, DataType::kInvitations, std::move(change));
  if (!changed) co_return changed.error();
  if (changed->outcome != DataChanged::Outcome::kDone) co_return std::optional<std::string>();
  co_return std::optional<std::string>(std::move(token));
}

Task<Result<std::optional<Invitation>>> Invitations::Find(std::string token) {
  const auto inviter = InviterOf(token);
  if (!inviter) co_return std::optional<Invitation>();
  Result<std::optional<std::string>> found =
      co_await shard_->stores->account_data->Find(*inviter, DataType::kInvitations, KeyOf(token));
  if (!found) co_return found.error();
  std::optional<Invitation> invitation;
  if (*found) invitation = Read(*inviter, **found);
  if (invitation && invitation->expires_ms <= NowMs()) invitation.reset();
  co_return invitation;
}

Task<Result<bool>> Invitations::Use(std::string token) {
  const auto inviter = InviterOf(token);
  if (!inviter) co_return false;
  DataChange change;
  change.remove.push_back(KeyOf(token));
  Result<DataChanged> changed = co_await shard_->stores->account_data->Change(
      *inviter, DataType::kInvitations, std::move(change));
  if (!changed) co_return changed.error();
  co_return changed->removed > 0;
}

Task<Result<std::vector<Invitations::Listed>>> Invitations::List(xmpp::BareJid inviter) {
  Result<DataCollection> given =
      co_await shard_->stores->account_data->List(inviter, DataType::kInvitations);
  if (!given) co_return given.error();
  std::vector<Listed> listed;
  const int64_t now_ms = NowMs();
  for (const DataEntry& entry : given->entries) {
    auto invitation = Read(inviter, entry.value);
    if (invitation && invitation->expires_ms > now_ms) {
      listed.push_back({*std::move(invitation), entry.key});
    }
  }
  co_return listed;
}

std::string InvitationUri(const Invitation& invitation, const std::string& token) {
  if (invitation.contact && invitation.username.empty()) {
    return "xmpp:" + Escaped(invitation.inviter.ToString()) + "?roster;preauth=" + token + ";ibr=y";
  }
  const std::string who = invitation.username.empty()
                              ? invitation.domain
                              : invitation.username + "@" + invitation.domain;
  return "xmpp:" + Escaped(who) + "?register;preauth=" + token;
}

std::string LandingPage(const std::string& page, const std::string& uri) {
  const size_t at = page.find("{uri}");
  if (at == std::string::npos) return page;
  return page.substr(0, at) + Escaped(uri) + page.substr(at + 5);
}

}  // namespace business
