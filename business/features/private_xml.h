#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "business/feature.h"
#include "lib/runtime/result.h"

namespace business {

struct Shard;

// An element that is kept elsewhere as well: bookmarks, which PEP has too. Both may be empty.
struct PrivateXmlMirror {
  std::string_view ns, name;
  // What stands there; nullopt: nothing, and what is stored here is given.
  std::function<Task<runtime::Result<std::optional<xmpp::Element>>>(xmpp::BareJid account)> read;
  // The element was stored here by the iq that is given, and is to stand there, too. May be called
  // again for the same iq.
  std::function<Task<runtime::Result<void>>(Iq iq, xmpp::Element element)> written;
};

inline constexpr size_t kMaxPrivateElement = 128 * 1024;  // bytes

Feature PrivateXml(Shard* shard, std::vector<PrivateXmlMirror> mirrors);

}  // namespace business
