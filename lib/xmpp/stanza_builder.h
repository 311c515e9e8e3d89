// From the events of one first-level element to its Stanza: canonical bytes and envelope in one
// pass, no tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/expat_parser.h"
#include "lib/xmpp/framer.h"
#include "lib/xmpp/stanza.h"

namespace xmpp {

// Scratch of whoever reads a stanza; its buffers are used again for the next one. Judges the limits
// of FramerLimits that count elements, attributes, depth and names.
class StanzaBuilder {
 public:
  // `content_ns`: jabber:client, jabber:server … – elements in it are written as jabber:client.
  void Begin(std::string_view content_ns);

  // False: over one of the limits, named in `over()`.
  bool Start(const ExpandedName& name, const char* const* attributes, const FramerLimits& limits);
  bool Text(std::string_view text, const FramerLimits& limits);
  // True: that was the root.
  bool End(const ExpandedName& name);

  Stanza Take();
  void Clear();  // forgets what was read, keeps a modest buffer

  uint32_t depth() const { return depth_; }  // 0: no stanza begun
  std::string_view over() const { return over_; }

  // Attribute count and name lengths, for the stream header too. Returns what is over, or {}.
  static std::string_view OverTagLimits(const ExpandedName& name, const char* const* attributes,
                                        const FramerLimits& limits);

 private:
  void StartRoot(const ExpandedName& name, const char* const* attributes);
  void SeeChild(std::string_view local, std::string_view ns);
  // Declarations that the header made once are written wherever they are used, so a small stanza
  // may grow: the bound keeps what leaves the framer in proportion to what came in.
  bool Grown(const FramerLimits& limits);

  CanonicalWriter writer_;
  std::string bytes_;
  std::string content_ns_;
  Stanza stanza_;
  std::string_view over_;
  uint32_t depth_ = 0;
  uint32_t elements_ = 0;
  uint32_t children_ = 0;
};

}  // namespace xmpp
