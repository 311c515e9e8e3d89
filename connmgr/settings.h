// A manager's configuration, checked, as plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connmgr/socket_address.h"
#include "lib/runtime/tls.h"

namespace xylem::config {
class Connmgr;
}

namespace connmgr {

enum class TlsMode : uint8_t { kRequired, kOptional, kOff };

struct ListenerSettings {
  SocketAddress address;
  bool direct_tls = false;
  bool proxy = false;
  std::vector<Network> proxy_from;
};

// Immutable once the loops run; shared by all of them.
struct Settings {
  using Ms = std::chrono::milliseconds;

  int loops = 1;
  std::vector<ListenerSettings> listeners;
  std::vector<std::string> domains;  // normalised; the first is offered to clients that name none
  TlsMode tls = TlsMode::kRequired;
  std::vector<runtime::TlsIdentity> certificates;
  std::string ticket_key_file;
  size_t write_queue = 1 << 20;
  std::string location;  // XEP-0198: where to resume; empty = anywhere

  uint32_t stanza_bytes = 262144;
  uint32_t window_stanzas = 64;
  uint32_t window_bytes = 262144;
  Ms negotiation{30000};
  Ms stanza_time{60000};
  Ms proxy_time{3000};
  Ms linger{3000};
  uint32_t auth_failures = 5;
  uint32_t stanzas_per_second = 0;
  uint32_t bytes_per_second = 0;
  Ms keepalive{300000};

  uint32_t accepts_per_second = 2000;
  uint32_t accepts_per_address_per_second = 0;
  uint32_t connections_per_address = 0;
  uint32_t handshakes = 500;
  uint32_t connections = 0;
  uint32_t reserved_descriptors = 64;

  Ms business_grace{30000};

  uint32_t drain_pace = 500;
  Ms drain_deadline{55000};
  Ms drain_notice{1000};

  // Named by a certificate, maybe beside the domains served: hosts that SRV records point to.
  bool CertificateNames(std::string_view normalized) const;

  // Each problem is one sentence with its key path; empty = good.
  static std::vector<std::string> Read(const xylem::config::Connmgr& config, Settings* settings);
};

}  // namespace connmgr
