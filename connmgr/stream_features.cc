#include "connmgr/stream_features.h"

#include "lib/xmpp/namespaces.h"

namespace connmgr {
namespace {

std::string Element(std::string_view name, std::string_view ns, std::string_view content) {
  std::string out = "<";
  out.append(name).append(" xmlns='").append(ns).append("'");
  if (content.empty()) return out.append("/>");
  return out.append(">").append(content).append("</").append(name).append(">");
}

}  // namespace

std::string WriteFeatures(StartTlsOffer starttls, std::string_view from_business) {
  std::string out = "<stream:features>";
  if (starttls != StartTlsOffer::kNone) {
    out += Element("starttls", xmpp::ns::kTls,
                   starttls == StartTlsOffer::kRequired ? "<required/>" : "");
  }
  out += from_business;
  out += "</stream:features>";
  return out;
}

std::string WriteStreamLimits(uint32_t max_bytes) {
  return Element("limits", xmpp::ns::kStreamLimits,
                 "<max-bytes>" + std::to_string(max_bytes) + "</max-bytes>");
}

std::string WriteStartTlsProceed() { return Element("proceed", xmpp::ns::kTls, ""); }
std::string WriteStartTlsFailure() { return Element("failure", xmpp::ns::kTls, ""); }

std::string WriteSaslFailure(std::string_view condition) {
  return Element("failure", xmpp::ns::kSasl, "<" + std::string(condition) + "/>");
}

std::string WriteCompressionFailure() {
  return Element("failure", xmpp::ns::kCompress, "<unsupported-method/>");
}

}  // namespace connmgr
