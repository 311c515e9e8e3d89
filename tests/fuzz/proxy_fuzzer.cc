// PROXY header: bounded, never reads past itself, and the same however the bytes are cut.
#include <arpa/inet.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "connmgr/proxy_protocol.h"

namespace {

using connmgr::ProxyHeader;
using connmgr::ProxyHeaderParser;
using Result = ProxyHeaderParser::Result;

void Require(bool holds) {
  if (!holds) std::abort();
}

bool IsAddress(const std::string& text) {
  in6_addr raw{};
  return inet_pton(AF_INET, text.c_str(), &raw) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &raw) == 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = 1 + data[0] % 32;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  ProxyHeaderParser whole;
  size_t consumed = 0;
  const Result result = whole.Feed(bytes, &consumed);
  Require(consumed <= bytes.size() && consumed <= 16 + ProxyHeaderParser::kMaxV2Body);
  if (result == Result::kNeedMore) Require(consumed == bytes.size());
  const ProxyHeader& header = whole.header();
  if (result == Result::kDone) {
    Require(header.is_local != IsAddress(header.source_address));
    Require(header.is_local != IsAddress(header.destination_address));
    // What was consumed is a header by itself, and nothing shorter is.
    ProxyHeaderParser exact;
    size_t again = 0;
    Require(exact.Feed(bytes.substr(0, consumed - 1), &again) == Result::kNeedMore);
    Require(exact.Feed(bytes.substr(consumed - 1, 1), &again) == Result::kDone);
  }

  ProxyHeaderParser cut;
  Result last = Result::kNeedMore;
  size_t total = 0;
  for (size_t at = 0; at < bytes.size() && last == Result::kNeedMore; at += step) {
    last = cut.Feed(bytes.substr(at, step), &consumed);
    total += consumed;
  }
  Require(last == result);
  if (result == Result::kDone) {
    ProxyHeaderParser once;
    Require(once.Feed(bytes, &consumed) == Result::kDone && total == consumed);
    Require(cut.header().source_address == header.source_address &&
            cut.header().source_port == header.source_port &&
            cut.header().unique_id == header.unique_id);
  }
  return 0;
}
