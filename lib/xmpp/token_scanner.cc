#include "lib/xmpp/token_scanner.h"

namespace xmpp {

size_t TokenScanner::Scan(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    bool end = false;
    switch (kind_) {
      case Kind::kFirst:
        kind_ = c == '<' ? Kind::kOpened : c == '&' ? Kind::kReference : Kind::kAny;
        end = kind_ == Kind::kAny;
        break;
      case Kind::kOpened:
        kind_ = c == '!' ? Kind::kBang : c == '?' ? Kind::kPi : Kind::kTag;
        end = c == '>';
        break;
      case Kind::kTag:
        if (quote_ != 0) {
          if (c == quote_) quote_ = 0;
        } else if (c == '\'' || c == '"') {
          quote_ = c;
        } else {
          end = c == '>' || c == '<';
        }
        break;
      case Kind::kReference:
        end = c == ';';
        break;
      case Kind::kBang:
        kind_ = c == '-' ? Kind::kComment : Kind::kAny;
        end = kind_ == Kind::kAny;
        break;
      case Kind::kComment:
        end = c == '>' && last_[0] == '-' && last_[1] == '-';
        break;
      case Kind::kPi:
        end = c == '>' && last_[1] == '?';
        break;
      case Kind::kAny:
        end = true;
        break;
    }
    last_[0] = last_[1];
    last_[1] = c;
    if (end) return i + 1;
  }
  return std::string_view::npos;
}

}  // namespace xmpp
