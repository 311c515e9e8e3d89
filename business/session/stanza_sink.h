// Where a session's stanzas go; routing stands above and implements it.
#pragma once

#include <cstdint>
#include <memory>

#include "lib/xmpp/stanza.h"

namespace business {

class Session;

class StanzaSink {
 public:
  virtual ~StanzaSink() = default;
  // `in_seq` is the session's next. Pushes exactly one submission.
  virtual void Submit(const std::shared_ptr<Session>& session, uint64_t in_seq,
                      xmpp::Stanza stanza) = 0;
};

}  // namespace business
