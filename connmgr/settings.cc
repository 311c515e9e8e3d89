#include "connmgr/settings.h"

#include <algorithm>
#include <thread>

#include "lib/xmpp/jid.h"
#include "proto/config/connmgr.pb.h"

namespace connmgr {
namespace {

using Errors = std::vector<std::string>;

void ReadListeners(const xylem::config::Connmgr::C2s& c2s, Settings* settings, Errors* errors) {
  for (int i = 0; i < c2s.listeners_size(); ++i) {
    const auto& in = c2s.listeners(i);
    const std::string path = "c2s.listeners[" + std::to_string(i) + "]";
    ListenerSettings out;
    out.direct_tls = in.direct_tls();
    out.proxy = in.proxy();
    if (auto address = SocketAddress::Parse(in.address())) {
      out.address = *address;
    } else {
      errors->push_back(path + ".address: `" + in.address() + "` is not host:port");
    }
    for (const std::string& text : in.proxy_from()) {
      if (auto network = Network::Parse(text)) {
        out.proxy_from.push_back(*network);
      } else {
        errors->push_back(path + ".proxy_from: `" + text + "` is not an address or a network");
      }
    }
    if (out.proxy && out.proxy_from.empty()) {
      errors->push_back(path + ".proxy_from: name the load balancers, as [127.0.0.0/8]");
    }
    settings->listeners.push_back(std::move(out));
  }
}

void ReadC2s(const xylem::config::Connmgr::C2s& c2s, Settings* settings, Errors* errors) {
  ReadListeners(c2s, settings, errors);
  for (const std::string& domain : c2s.domains()) {
    if (auto normalized = xmpp::NormalizeDomainpart(domain)) {
      settings->domains.push_back(*normalized);
    } else {
      errors->push_back("c2s.domains: `" + domain + "` is not a domain");
    }
  }
  if (settings->domains.empty()) errors->push_back("c2s.domains: at least one is needed");
  settings->tls = c2s.tls() == "off"        ? TlsMode::kOff
                  : c2s.tls() == "optional" ? TlsMode::kOptional
                                            : TlsMode::kRequired;
  for (const auto& in : c2s.certificates()) {
    runtime::TlsIdentity out{{in.domains().begin(), in.domains().end()},
                             in.certificate_file(),
                             in.key_file()};
    settings->certificates.push_back(std::move(out));
  }
  const bool direct = std::any_of(settings->listeners.begin(), settings->listeners.end(),
                                  [](const ListenerSettings& l) { return l.direct_tls; });
  if (settings->certificates.empty() && (settings->tls == TlsMode::kRequired || direct)) {
    errors->push_back("c2s.certificates: TLS needs at least one certificate (or c2s.tls: off)");
  }
  settings->ticket_key_file = c2s.ticket_key_file();
  settings->write_queue = c2s.write_queue();
  settings->location = c2s.location();
}

}  // namespace

bool Settings::CertificateNames(std::string_view normalized) const {
  return std::any_of(certificates.begin(), certificates.end(), [&](const auto& identity) {
    const auto& names = identity.domains;
    return std::find(names.begin(), names.end(), normalized) != names.end();
  });
}

std::vector<std::string> Settings::Read(const xylem::config::Connmgr& config, Settings* settings) {
  Errors errors;
  Settings& s = *settings;
  s.loops = config.loops() != 0
                ? static_cast<int>(config.loops())
                : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  ReadC2s(config.c2s(), settings, &errors);

  const auto& limits = config.limits();
  s.stanza_bytes = limits.stanza();
  s.window_stanzas = limits.window_stanzas();
  s.window_bytes = limits.window_bytes();
  s.negotiation = Ms(limits.negotiation());
  s.stanza_time = Ms(limits.stanza_time());
  s.auth_failures = limits.auth_failures();
  s.stanzas_per_second = limits.stanzas_per_second();
  s.bytes_per_second = limits.bytes_per_second();
  s.keepalive = Ms(limits.keepalive());

  const auto& admission = config.admission();
  s.accepts_per_second = admission.accepts_per_second();
  s.accepts_per_address_per_second = admission.accepts_per_address_per_second();
  s.connections_per_address = admission.connections_per_address();
  s.handshakes = admission.handshakes();
  s.connections = admission.connections();
  s.reserved_descriptors = admission.reserved_descriptors();

  s.business_grace = Ms(config.business().grace());
  s.drain_pace = config.drain().pace();
  s.drain_deadline = Ms(config.drain().deadline());
  s.drain_notice = Ms(config.drain().notice());
  return errors;
}

}  // namespace connmgr
