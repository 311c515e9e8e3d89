// Result Set Management (XEP-0059 1.0.1): what part of a list is asked for, and what part it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/xmpp/element.h"

namespace xmpp {

// <set/> of a request.
struct ResultSetQuery {
  std::optional<uint32_t> max;        // 0: only the count is asked for
  std::optional<std::string> after;   // forward from behind this id
  std::optional<std::string> before;  // backward from before this id; empty: from the end
  std::optional<uint32_t> index;

  // nullopt if `parent` has no <set/>. A number that is none counts as absent.
  static std::optional<ResultSetQuery> Below(const Element& parent);
};

// <set/> of an answer.
struct ResultSetPage {
  std::string first, last;            // ids; empty: the page is
  std::optional<uint32_t> index;      // of the first in the whole list
  std::optional<uint32_t> count;      // of the whole list

  Element Write() const;
};

}  // namespace xmpp
