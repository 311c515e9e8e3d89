#include "lib/xmpp/sasl/offer.h"

#include <algorithm>
#include <array>

#include "lib/xmpp/sasl/base64.h"

namespace xmpp::sasl {
namespace {

struct NamedScram {
  std::string_view name;
  ScramMechanism scram;
};

// In the order we would like clients to choose.
constexpr std::array<NamedScram, 6> kScramByPreference = {{
    {"SCRAM-SHA-512-PLUS", {Hash::kSha512, true}},
    {"SCRAM-SHA-256-PLUS", {Hash::kSha256, true}},
    {"SCRAM-SHA-1-PLUS", {Hash::kSha1, true}},
    {"SCRAM-SHA-512", {Hash::kSha512, false}},
    {"SCRAM-SHA-256", {Hash::kSha256, false}},
    {"SCRAM-SHA-1", {Hash::kSha1, false}},
}};

// Sorted by octets (RFC 4790 §9.3), joined by the record separator.
void AppendSorted(std::string& out, std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out.push_back('\x1E');
    out.append(names[i]);
  }
}

}  // namespace

Offer MakeOffer(bool tls, const ChannelBindings& bindings,
                const std::vector<std::string>& enabled) {
  const auto allowed = [&](std::string_view name) {
    return enabled.empty() || std::find(enabled.begin(), enabled.end(), name) != enabled.end();
  };
  const bool can_bind =
      tls && !(bindings.tls_exporter.empty() && bindings.tls_server_end_point.empty());
  Offer offer;
  bool binds = false;
  for (const NamedScram& known : kScramByPreference) {
    if (!allowed(known.name) || (known.scram.plus && !can_bind)) continue;
    offer.mechanisms.emplace_back(known.name);
    binds |= known.scram.plus;
  }
  if (tls && allowed("PLAIN")) offer.mechanisms.emplace_back("PLAIN");
  if (binds) {
    if (!bindings.tls_exporter.empty()) offer.channel_bindings.emplace_back(kTlsExporter);
    if (!bindings.tls_server_end_point.empty()) {
      offer.channel_bindings.emplace_back(kTlsServerEndPoint);
    }
  }
  return offer;
}

std::optional<ScramMechanism> FindScram(std::string_view mechanism) {
  for (const NamedScram& known : kScramByPreference) {
    if (known.name == mechanism) return known.scram;
  }
  return std::nullopt;
}

std::string OfferHash(Hash hash, const Offer& offer) {
  std::string lists;
  AppendSorted(lists, offer.mechanisms);
  if (!offer.channel_bindings.empty()) {
    lists.push_back('\x1F');
    AppendSorted(lists, offer.channel_bindings);
  }
  return EncodeBase64(Digest(hash, lists));
}

}  // namespace xmpp::sasl
