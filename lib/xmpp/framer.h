// From a stranger's bytes to stanzas: the only reader of network input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/xmpp/stanza.h"
#include "lib/xmpp/stream_error.h"

namespace xmpp {

// Limits while reading; over any of them is stream error policy-violation (stanza bytes: with
// <stanza-too-big xmlns='urn:xmpp:errors'/>). tests/attacks, rows 15, 16.
struct FramerLimits {
  uint32_t stanza_bytes = 262144;
  uint16_t depth = 64;
  uint16_t attributes = 64;  // of one element, namespace declarations not counted
  uint32_t elements = 4096;  // of one stanza
  uint16_t name_bytes = 256;
  uint16_t declarations = 32;  // namespace declarations in scope at once, the header's apart

  static FramerLimits BeforeAuthentication();  // 10,000 bytes, depth 8, 32 elements
};

// The stream's opening tag, attributes as sent (RFC 6120 §4.7).
struct StreamHeader {
  std::string to, from, id, lang, version;
  std::string content_ns;  // the default namespace
};

// Receives what the framer found, in order. Called from inside Framer::Feed; must not destroy the
// framer there (return false to make Feed stop after this event: what is left stays unread and
// `consumed` tells).
class FramerEvents {
 public:
  virtual ~FramerEvents() = default;
  virtual bool OnStreamHeader(StreamHeader header) = 0;
  // A first-level element. Anything that is not message, presence or iq in the content namespace
  // comes with kind kNonza and payload_ns/payload_name naming the element itself.
  virtual bool OnStanza(Stanza stanza) = 0;
  virtual bool OnStreamEnd() = 0;                     // </stream:stream>
  virtual void OnStreamError(StreamError error) = 0;  // nothing follows
};

class FramerPool;

// One per stream; owned by its connection, lives on the connection's loop. Holds an expat parser
// only while a stanza is incomplete: between stanzas the parser goes back to the pool, where it is
// kept under the namespace declarations of the stream's header.
//
// Split-invariant: the events do not depend on how the bytes were cut.
class Framer {
 public:
  enum class Mode {
    kStream,  // RFC 6120 framing: one document per stream
    kFrame,   // RFC 7395: each frame is one complete document (<open/>, stanza, <close/>)
  };

  Framer(FramerPool& pool, FramerEvents& events, Mode mode, std::string_view content_ns,
         FramerLimits limits);
  ~Framer();
  Framer(const Framer&) = delete;
  Framer& operator=(const Framer&) = delete;

  // Reads `bytes`; returns how many were consumed (all, unless an event asked to stop or the
  // stream erred).
  size_t Feed(std::string_view bytes);

  // A new document is expected (after STARTTLS and SASL success). Nothing of the old one is kept.
  void Restart();
  void SetLimits(const FramerLimits& limits);

  bool InStanza() const;              // some bytes of a stanza are read, its end is not
  bool HoldsParser() const;           // for the memory accounting test
  uint64_t whitespace_bytes() const;  // between stanzas, since construction

 private:
  friend class FramerPool;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Idle parsers of one event loop. Not thread-safe.
class FramerPool {
 public:
  explicit FramerPool(size_t max_idle = 64);
  ~FramerPool();

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace xmpp
