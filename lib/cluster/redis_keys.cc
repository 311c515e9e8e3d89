#include "lib/cluster/redis_keys.h"

#include <openssl/evp.h>

#include <charconv>
#include <functional>
#include <memory>
#include <vector>

#include "lib/cluster/base32.h"
#include "lib/cluster/concat.h"
#include "lib/cluster/session_record.h"
#include "lib/runtime/check.h"

namespace cluster {
namespace {

std::string ComputeTag(std::string_view bare_jid) {
  struct Free {
    void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
    void operator()(EVP_MD* m) const { EVP_MD_free(m); }
  };
  // Fetched once a thread: EVP_sha256() is looked up anew by each EVP_DigestInit of OpenSSL 3.
  static thread_local std::unique_ptr<EVP_MD, Free> sha256(
      EVP_MD_fetch(nullptr, "SHA256", nullptr));
  static thread_local std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  char digest[32];
  CHECK(EVP_DigestInit_ex2(context.get(), sha256.get(), nullptr) == 1);
  CHECK(EVP_DigestUpdate(context.get(), bare_jid.data(), bare_jid.size()) == 1);
  CHECK(EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(digest), nullptr) == 1);
  return Base32(std::string_view(digest, 16));
}

// Account tags are asked for with each stanza, mostly of the same accounts: a small direct-mapped
// cache, one a thread.
struct CachedTag {
  std::string jid, tag;
};
constexpr size_t kCacheSize = 1024;
constexpr size_t kLongestCached = 128;

std::string AccountKey(std::string_view tag, std::string_view what) {
  return Concat({"x:{", tag, "}:", what});
}

std::string ManagerKey(std::string_view manager, uint64_t incarnation, std::string_view what) {
  return Concat({"x:{m:", ManagerField(manager, incarnation), "}:", what});
}

}  // namespace

std::string AccountTag(std::string_view bare_jid) {
  static thread_local std::vector<CachedTag> cache(kCacheSize);
  if (bare_jid.size() > kLongestCached || bare_jid.empty()) return ComputeTag(bare_jid);
  CachedTag& slot = cache[std::hash<std::string_view>()(bare_jid) % kCacheSize];
  if (slot.jid != bare_jid) {
    slot.tag = ComputeTag(bare_jid);
    slot.jid.assign(bare_jid);
  }
  return slot.tag;
}

std::string SessionsKey(std::string_view tag) { return AccountKey(tag, "sessions"); }
std::string EpochKey(std::string_view tag) { return AccountKey(tag, "epoch"); }
std::string DoneKey(std::string_view tag) { return AccountKey(tag, "done"); }
std::string VersionKey(std::string_view tag) { return AccountKey(tag, "ver"); }
std::string PubsubVersionKey(std::string_view tag) { return AccountKey(tag, "pub"); }
std::string CapsKey(std::string_view what) {
  return Concat({"x:{c:", ComputeTag(what), "}:caps"});
}
std::string RegistrationsKey(std::string_view address) {
  return Concat({"x:{r:", ComputeTag(address), "}:registrations"});
}
std::string DirectedKey(std::string_view tag) { return AccountKey(tag, "directed"); }
std::string LastPresenceKey(std::string_view tag) { return AccountKey(tag, "last"); }
std::string OutboxKey(std::string_view tag, std::string_view session_hex) {
  return Concat({"x:{", tag, "}:out:", session_hex});
}
std::string OutboxStateKey(std::string_view tag, std::string_view session_hex) {
  return Concat({"x:{", tag, "}:sm:", session_hex});
}
std::string OutboxShownKey(std::string_view tag, std::string_view session_hex) {
  return Concat({"x:{", tag, "}:shown:", session_hex});
}
std::string SeenKey(std::string_view tag, std::string_view origin_hex) {
  return Concat({"x:{", tag, "}:seen:", origin_hex});
}
std::string EndingKey(std::string_view tag) { return AccountKey(tag, "ending"); }
std::string WasKey(std::string_view tag) { return AccountKey(tag, "was"); }
std::string DueKey(int bucket) { return Concat({"x:due:", std::to_string(bucket)}); }

std::string ManagerLeaseKey(std::string_view manager, uint64_t incarnation) {
  return ManagerKey(manager, incarnation, "lease");
}
std::string ManagerAccountsKey(std::string_view manager, uint64_t incarnation) {
  return ManagerKey(manager, incarnation, "accounts");
}
std::string ManagerReaperKey(std::string_view manager, uint64_t incarnation) {
  return ManagerKey(manager, incarnation, "reaper");
}
std::string ManagerSweptKey(std::string_view manager, uint64_t incarnation) {
  return ManagerKey(manager, incarnation, "swept");
}
std::string ManagersKey() { return "x:managers"; }
std::string DrainingKey() { return "x:draining"; }
std::string BusinessLeaseKey(std::string_view business) {
  return Concat({"x:{b:", business, "}:lease"});
}
std::string BusinessesKey() { return "x:businesses"; }
std::string GenerationKey(std::string_view node_tag) { return AccountKey(node_tag, "generation"); }

std::string ManagerField(std::string_view manager, uint64_t incarnation) {
  return Concat({manager, ".", HexText(incarnation)});
}

std::optional<std::pair<std::string, uint64_t>> ParseManagerField(std::string_view field) {
  size_t dot = field.rfind('.');
  if (dot == std::string_view::npos || field.size() - dot != 17) return std::nullopt;
  uint64_t incarnation = 0;
  const char* end = field.data() + field.size();
  auto [at, bad] = std::from_chars(field.data() + dot + 1, end, incarnation, 16);
  if (bad != std::errc() || at != end) return std::nullopt;
  return std::pair(std::string(field.substr(0, dot)), incarnation);
}

}  // namespace cluster
