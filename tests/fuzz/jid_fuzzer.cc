// Addresses: what is accepted is its own normal form, whole and part by part.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/xmpp/jid.h"
#include "lib/xmpp/precis.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

using Normalize = std::optional<std::string> (*)(std::string_view);

void RequireIdempotent(Normalize normalize, std::string_view text) {
  const auto once = normalize(text);
  if (!once) return;
  Require(!once->empty() && once->size() <= xmpp::kMaxJidPartBytes);
  Require(xmpp::DecodeUtf8(*once).has_value());
  Require(normalize(*once) == once);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  RequireIdempotent(xmpp::NormalizeLocalpart, text);
  RequireIdempotent(xmpp::NormalizeDomainpart, text);
  RequireIdempotent(xmpp::NormalizeResourcepart, text);
  RequireIdempotent(xmpp::PreparePassword, text);
  xmpp::IsMixedScript(text);
  xmpp::LooksLikeAscii(text);

  const auto jid = xmpp::Jid::Parse(text);
  if (!jid) return 0;
  Require(jid->ToString().size() <= xmpp::kMaxJidBytes);
  Require(xmpp::Jid::Parse(jid->ToString()) == jid);
  Require(xmpp::Jid::Make(jid->local(), jid->domain(), jid->resource()) == jid);
  const xmpp::Jid split = xmpp::Jid::FromNormalized(jid->ToString());
  Require(split.local() == jid->local() && split.domain() == jid->domain() &&
          split.resource() == jid->resource());
  Require(jid->HasLocal() == !jid->local().empty());
  Require(jid->HasResource() == !jid->resource().empty());
  if (jid->HasLocal()) {
    // The short way for plain text and the long one agree.
    Require(xmpp::NormalizeLocalpart(jid->local()) == jid->local());
    Require(jid->local().find_first_of("\"&'/:<>@ ") == std::string_view::npos);
  }
  Require(xmpp::NormalizeDomainpart(jid->domain()) == jid->domain());
  if (jid->HasResource()) Require(xmpp::NormalizeResourcepart(jid->resource()) == jid->resource());
  return 0;
}
