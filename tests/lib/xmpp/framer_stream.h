// A framer with its pool, and readings whole and byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/lib/xmpp/framer_recorder.h"

namespace xmpp {

inline const std::string kHeader(kTestHeader);

// A framer with its pool and what it reported.
struct Stream {
  explicit Stream(FramerLimits limits = {}, Framer::Mode mode = Framer::Mode::kStream,
                  std::string_view content_ns = ns::kClient)
      : framer(pool, seen, mode, content_ns, limits) {}
  size_t Feed(std::string_view bytes) { return framer.Feed(bytes); }
  void FeedByteByByte(std::string_view bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) framer.Feed(bytes.substr(i, 1));
  }
  FramerPool pool;
  FramerRecorder seen;
  Framer framer;
};

// The stream error for `document`, which must be the same whole and byte by byte.
inline std::string ErrorOf(std::string_view document, FramerLimits limits = {}) {
  Stream whole(limits), bytes(limits);
  whole.Feed(document);
  bytes.FeedByteByByte(document);
  EXPECT_EQ(whole.seen.log, bytes.seen.log) << document.substr(0, 200);
  return whole.seen.Condition();
}
inline std::string ErrorInside(std::string_view stanzas, FramerLimits limits = {}) {
  return ErrorOf(kHeader + std::string(stanzas), limits);
}
// The canonical bytes of one stanza, or the error.
inline std::string Canonical(std::string_view stanza) {
  Stream s;
  s.Feed(kHeader);
  s.Feed(stanza);
  if (s.seen.stanzas.size() != 1) return "no stanza, error " + s.seen.Condition();
  return s.seen.stanzas[0].bytes;
}
inline Stanza Read(std::string_view stanza) {
  Stream s;
  s.Feed(kHeader);
  s.Feed(stanza);
  EXPECT_EQ(s.seen.stanzas.size(), 1u) << stanza << " " << s.seen.Condition();
  return s.seen.stanzas.empty() ? Stanza() : s.seen.stanzas[0];
}

}  // namespace xmpp
