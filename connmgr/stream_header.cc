#include "connmgr/stream_header.h"

#include <sys/random.h>

#include <charconv>

#include "lib/runtime/check.h"
#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/namespaces.h"

namespace connmgr {
namespace {

using xmpp::StreamCondition;
using xmpp::StreamError;

// RFC 6120 §4.7.5: "major.minor", numbers compared as numbers; no version means 0.9.
bool SpeaksVersion1(std::string_view version) {
  const size_t dot = version.find('.');
  if (dot == std::string_view::npos) return false;
  int parts[2] = {};
  const std::string_view texts[2] = {version.substr(0, dot), version.substr(dot + 1)};
  for (int i = 0; i < 2; ++i) {
    const char* end = texts[i].data() + texts[i].size();
    auto [at, error] = std::from_chars(texts[i].data(), end, parts[i]);
    if (error != std::errc() || at != end || parts[i] < 0) return false;
  }
  return parts[0] >= 1;
}

bool Foreign(std::string_view sni, const Settings& settings, const ServedDomains& served) {
  if (sni.empty()) return false;
  const auto name = xmpp::NormalizeDomainpart(sni);
  return !name || (!served.Serves(*name) && !settings.CertificateNames(*name));
}

}  // namespace

HeaderVerdict JudgeStreamHeader(const xmpp::StreamHeader& header, const Settings& settings,
                                const ServedDomains& served, std::string_view sni,
                                std::string_view account) {
  HeaderVerdict verdict;
  verdict.domain = served.first();
  auto refuse = [&](StreamCondition condition, std::string text) {
    verdict.error = StreamError{condition, std::move(text), {}};
    return verdict;
  };
  std::string domain = verdict.domain;
  if (!header.to.empty()) {
    const auto to = xmpp::NormalizeDomainpart(header.to);
    if (!to || !served.Serves(*to)) {
      return refuse(StreamCondition::kHostUnknown, "not served here");
    }
    domain = *to;
  }
  verdict.domain = domain;
  if (!SpeaksVersion1(header.version)) {
    return refuse(StreamCondition::kUnsupportedVersion, "version 1.0 is spoken here");
  }
  if (Foreign(sni, settings, served)) {
    return refuse(StreamCondition::kHostUnknown, "TLS asked for a name that is not served here");
  }
  if (account.empty()) return verdict;
  const xmpp::Jid jid = xmpp::Jid::FromNormalized(std::string(account));
  if (domain != jid.domain()) {
    return refuse(StreamCondition::kHostUnknown, "not the domain that was logged in to");
  }
  if (!header.from.empty()) {
    const auto from = xmpp::Jid::Parse(header.from);
    if (!from || from->BareView() != jid.BareView()) {
      return refuse(StreamCondition::kInvalidFrom, "not the account that was logged in");
    }
  }
  return verdict;
}

std::string WriteStreamHeader(std::string_view domain, const xmpp::StreamHeader& request) {
  std::string out = "<?xml version='1.0'?><stream:stream xmlns='";
  out += xmpp::ns::kClient;
  out += "' xmlns:stream='";
  out += xmpp::ns::kStreams;
  out += "'";
  xmpp::AppendAttribute(&out, "id", RandomStreamId());
  xmpp::AppendAttribute(&out, "from", domain);
  if (const auto from = xmpp::Jid::Parse(request.from)) {
    xmpp::AppendAttribute(&out, "to", from->BareView());
  }
  out += " version='1.0' xml:lang='en'>";
  return out;
}

std::string RandomStreamId() {
  unsigned char bytes[16];
  CHECK(getrandom(bytes, sizeof bytes, 0) == static_cast<ssize_t>(sizeof bytes));
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

}  // namespace connmgr
