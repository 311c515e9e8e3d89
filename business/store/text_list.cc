#include "business/store/text_list.h"

namespace business {
namespace {

constexpr char kSeparator = '\x1f';

}  // namespace

// Each text is followed by a separator: a list of one empty text is not an empty list.
std::string JoinTexts(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    joined += text;
    joined += kSeparator;
  }
  return joined;
}

std::vector<std::string> SplitTexts(std::string_view joined) {
  std::vector<std::string> texts;
  for (size_t end = joined.find(kSeparator); end != std::string_view::npos;
       end = joined.find(kSeparator)) {
    texts.emplace_back(joined.substr(0, end));
    joined.remove_prefix(end + 1);
  }
  return texts;
}

}  // namespace business
