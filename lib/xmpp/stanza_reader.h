// What a framer holds only while a stanza is incomplete, and the pool it comes from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lib/xmpp/expat_parser.h"
#include "lib/xmpp/framer.h"
#include "lib/xmpp/stanza_builder.h"
#include "lib/xmpp/token_scanner.h"

namespace xmpp {

// A stream's namespace declarations, as the opening tag that makes them: one object for all
// streams of a pool that declare the same.
using StreamTag = std::shared_ptr<const std::string>;

// A parser with its scratch. In the pool it is either as new (no tag) or has read `tag` and nothing
// unfinished behind it.
struct StanzaReader {
  ExpatParser expat;
  StanzaBuilder builder;
  TokenScanner scanner;
  StreamTag tag;
  std::string held;           // bytes of a long unfinished token, not yet given to expat
  uint64_t event_end = 0;     // expat offset behind the last thing reported
  uint64_t stanza_begin = 0;  // expat offset of the stanza's first byte
  uint32_t declarations = 0;  // in scope, the stream header's not counted
  std::optional<StreamError> failure;
  std::optional<uint64_t> cut;  // the parser stops here for good, bytes behind it are unread

  uint64_t PendingBytes() const { return expat.offset() - event_end; }
  bool AtBoundary() const { return builder.depth() == 0 && PendingBytes() == 0 && held.empty(); }
  // Between stanzas; expat waits to see whether a line feed follows a carriage return.
  bool HoldsReturnOnly() const {
    return builder.depth() == 0 && PendingBytes() == 1 && held.empty() && expat.last_byte() == '\r';
  }
  bool Stopped() const { return failure.has_value() || cut.has_value(); }
};

struct FramerPool::Impl {
  explicit Impl(size_t max_idle) : max_idle(max_idle) {}

  std::unique_ptr<StanzaReader> BorrowNew();
  std::unique_ptr<StanzaReader> BorrowPrimed(const StreamTag& tag);
  // The reader must be as StanzaReader says. One that has read much is dropped instead: expat keeps
  // every name it ever saw.
  void Return(std::unique_ptr<StanzaReader> reader);

  // `declarations`: prefix and URI.
  StreamTag Tag(std::vector<std::pair<std::string, std::string>> declarations);

  const size_t max_idle;
  std::vector<std::unique_ptr<StanzaReader>> idle;  // the latest last
  std::unordered_map<std::string, std::weak_ptr<const std::string>> tags;
};

// Bytes after which a parser is not used again.
inline constexpr uint64_t kRetireAfter = 64 * 1024;

}  // namespace xmpp
