#include "business/presence/presence_priority.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

#include <string>

#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"

namespace business {

std::optional<int32_t> PriorityOf(const xmpp::Stanza& presence) {
  if ((presence.flags & xmpp::kHasPriority) == 0) return 0;
  const auto root = xmpp::Element::Parse(presence.bytes);
  if (!root) return std::nullopt;
  std::optional<int32_t> found;
  for (const xmpp::Element* child : root->Elements()) {
    if (!child->Is("priority", xmpp::ns::kClient)) continue;
    int32_t value = 0;
    if (found || !absl::SimpleAtoi(child->Text(), &value)) return std::nullopt;
    if (value < -128 || value > 127) return std::nullopt;
    found = value;
  }
  return found.value_or(0);
}

}  // namespace business
