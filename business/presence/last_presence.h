// With what words, and when, an account left (RFC 6121 §4.3.2, XEP-0012 §4).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

struct LastPresence {
  int64_t left_ms = 0;  // wall clock
  std::string bytes;    // canonical `<presence type='unavailable'…>`, without addresses
};

// A session of `account` has left; whoever leaves last is remembered, for 30 days. In Redis only: a
// courtesy that each logout must not write to the store for. Longer than kMaxLastPresence: only
// that it left.
inline constexpr size_t kMaxLastPresence = 1024;
void SaveLastPresence(Shard* shard, const xmpp::BareJid& account, std::string_view bytes);

// nullopt: not known.
runtime::Task<std::optional<LastPresence>> LastPresenceOf(Shard* shard, xmpp::BareJid account);

// `last` as a probe is answered: from `from`, with the moment (XEP-0203).
std::string WriteLastPresence(const LastPresence& last, std::string_view from, std::string_view id);

}  // namespace business
