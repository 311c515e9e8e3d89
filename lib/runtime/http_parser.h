// HTTP/1.1 requests out of bytes, with bounds. The only user of Boost.Beast here: its parser, none
// of its I/O.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/runtime/admin_server.h"

namespace runtime {

// Parses one request after the other. Not thread-safe.
class HttpParser {
 public:
  static constexpr size_t kMaxHeader = 8192;
  static constexpr size_t kMaxBody = 65536;

  HttpParser();
  ~HttpParser();
  // Takes bytes from the front of `input`. True: a whole request is in `request()`.
  // False with status() == 0: more bytes are needed; otherwise the HTTP status of what is wrong.
  bool Consume(std::string* input);
  int status() const;
  const HttpRequest& request() const;
  bool keep_alive() const;
  bool from_browser() const;  // an Origin header stood there
  void Reset();               // for the next request

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

const char* HttpReason(int status);

}  // namespace runtime
