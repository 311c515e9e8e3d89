// What <c/> in a presence promises, and whether an answer keeps it (XEP-0115 §5).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/xmpp/element.h"

namespace business {

struct CapsId {
  std::string hash;  // name of the function; empty: the legacy format, before version 1.4
  std::string node, ver;

  std::string NodeVer() const { return node + "#" + ver; }
};

// Of a canonical presence; nullopt: it has no <c/> with node and ver.
std::optional<CapsId> CapsOf(std::string_view presence);

// S of §5.1. nullopt: the answer is ill-formed (§5.4), or holds what could be read in two ways, as
// those who forge hashes use it (a "<" within a name).
std::optional<std::string> CapsString(const xmpp::Element& query);
// base64 of the hash over `text`; nullopt: a function that is not supported.
std::optional<std::string> CapsVer(std::string_view hash, std::string_view text);

enum class CapsCheck {
  kVerified,    // may be believed of everybody who says the same hash
  kUnverified,  // only of who answered: legacy, unknown function, or another hash
  kIllFormed,   // not even of him
};
CapsCheck CheckCaps(const CapsId& caps, const xmpp::Element& query);

// Nodes whose notifications are wanted: features that end in "+notify", without that, sorted and
// each once. More than `most` are cut off.
std::vector<std::string> NotifyNodes(const xmpp::Element& query, size_t most = 500);

}  // namespace business
