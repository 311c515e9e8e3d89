// Rows as tests of the registry and of its keepers write them.
#pragma once

#include <chrono>
#include <string>

#include "lib/cluster/session_record.h"

namespace cluster {

// `session` (any text) stands for the sixteen random bytes of a session.
inline SessionRecord SampleRow(std::string session, const std::string& manager = "connmgr-1") {
  SessionRecord row;
  session.resize(16, '.');
  row.session = std::move(session);
  row.owner = {.manager = manager, .incarnation = 1, .connection = 7, .epoch = 0};
  row.since_ms = 1700000000000;
  row.peer_address = "192.0.2.1:5000";
  return row;
}

inline uint64_t NowMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace cluster
