// Whom to ask, and with which token.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "admin/exit_code.h"
#include "admin/invocation.h"
#include "lib/runtime/rpc.h"

namespace admin {

struct ClientSettings {
  std::vector<std::string> addresses;  // "host:port", asked in order
  std::string token;
  runtime::RpcCredentials credentials;  // mTLS; empty = plaintext, on loopback only
};

// Command line over environment (XYLEMCTL_TOKEN, XYLEMCTL_ADDRESSES …) over --config. nullopt =
// good.
std::optional<Failure> LoadSettings(const Invocation& invocation, ClientSettings* settings);

}  // namespace admin
