#include "admin/client_settings.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

#include "lib/runtime/config.h"
#include "proto/config/admin.pb.h"

namespace admin {
namespace {

Failure BadConfig(std::string text) {
  return {ExitCode::kBadConfig, "BAD_CONFIG", std::move(text)};
}

std::optional<Failure> ReadToken(const std::string& path, std::string* token) {
  std::ifstream file(path, std::ios::binary);
  token->assign(std::istreambuf_iterator<char>(file), {});
  if (!file) return BadConfig("the token file " + path + " cannot be read");
  while (!token->empty() && (token->back() == '\n' || token->back() == '\r')) token->pop_back();
  return std::nullopt;
}

}  // namespace

std::optional<Failure> LoadSettings(const Invocation& invocation, ClientSettings* settings) {
  xylem::config::Xylemctl config;
  const std::vector<std::string> errors = runtime::LoadConfig(
      {.file = invocation.config_file, .environment_prefix = "XYLEMCTL_"}, &config);
  if (!errors.empty()) {
    std::string text;
    for (const std::string& error : errors) text += (text.empty() ? "" : "\n") + error;
    return BadConfig(std::move(text));
  }
  settings->addresses = invocation.addresses;
  if (settings->addresses.empty()) {
    settings->addresses.assign(config.addresses().begin(), config.addresses().end());
  }
  settings->token = config.token();
  if (!invocation.token_file.empty()) {
    std::optional<Failure> failure = ReadToken(invocation.token_file, &settings->token);
    if (failure.has_value()) return failure;
  }
  if (settings->token.empty()) {
    return BadConfig(
        "no admin token: give --token-file FILE, XYLEMCTL_TOKEN, or token in the --config file");
  }
  // It travels in an HTTP/2 header.
  if (!std::all_of(settings->token.begin(), settings->token.end(),
                   [](unsigned char c) { return std::isgraph(c); })) {
    return BadConfig("the admin token has characters other than visible ASCII");
  }
  settings->credentials = {.certificate = config.rpc().certificate_file(),
                           .key = config.rpc().key_file(),
                           .ca = config.rpc().ca_file()};
  return std::nullopt;
}

}  // namespace admin
