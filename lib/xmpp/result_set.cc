#include "lib/xmpp/result_set.h"

#include <charconv>

#include "lib/xmpp/namespaces.h"

namespace xmpp {
namespace {

std::optional<uint32_t> Number(const Element& set, std::string_view name) {
  const Element* element = set.Find(name, ns::kRsm);
  if (element == nullptr) return std::nullopt;
  const std::string text = element->Text();
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::string> TextOf(const Element& set, std::string_view name) {
  const Element* element = set.Find(name, ns::kRsm);
  if (element == nullptr) return std::nullopt;
  return element->Text();
}

}  // namespace

std::optional<ResultSetQuery> ResultSetQuery::Below(const Element& parent) {
  const Element* set = parent.Find("set", ns::kRsm);
  if (set == nullptr) return std::nullopt;
  ResultSetQuery query;
  query.max = Number(*set, "max");
  query.after = TextOf(*set, "after");
  query.before = TextOf(*set, "before");
  query.index = Number(*set, "index");
  return query;
}

Element ResultSetPage::Write() const {
  Element set("set", ns::kRsm);
  if (!first.empty()) {
    Element& child = set.Add("first", ns::kRsm);
    if (index) child.SetAttr("index", std::to_string(*index));
    child.AddText(first);
    set.Add("last", ns::kRsm).AddText(last);
  }
  if (count) set.Add("count", ns::kRsm).AddText(std::to_string(*count));
  return set;
}

}  // namespace xmpp
