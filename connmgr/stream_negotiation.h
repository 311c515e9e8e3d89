// What only a stream without a session needs: freed at bind (performance rule 4).
#pragma once

#include <cstdint>
#include <string>

#include "connmgr/c2s_stream.h"

namespace connmgr {

struct C2sStream::Negotiation {
  const ListenerSettings* listener;
  std::string peer_address;  // "192.0.2.1:5000", as the socket or PROXY said
  Admission::AddressKey address{};
  std::string domain;
  std::string language;
  std::string ticket;   // from AUTHENTICATED on
  std::string account;  // bare JID, from AUTHENTICATED on
  // What business was asked last, to ask another one: only bind is asked twice.
  std::string element, element_ns, element_name;
  uint64_t accepted_ms = 0;
  uint64_t tls_begin_ms = 0;
  uint64_t slot_check_ms = 0;  // when to see whether it still deserves its handshake slot; 0 = has none
  uint32_t auth_failures = 0;
  bool ask_again = false;   // the server that was asked is gone
  bool first_bytes = true;  // nothing of the stream was read yet
};

}  // namespace connmgr
