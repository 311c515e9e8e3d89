// Where an unfinished XML token may end. Keeps a tag that arrives byte by byte from being parsed
// again for every byte.
#pragma once

#include <cstddef>
#include <string_view>

namespace xmpp {

// Fed with the bytes of one token from its first byte on. It judges nothing: expat does.
class TokenScanner {
 public:
  void Reset() { *this = TokenScanner(); }

  // How many of `bytes` it takes to reach the token's end; npos if it is not among them.
  size_t Scan(std::string_view bytes);

 private:
  // A tag ends at the first '>' outside quotes, a reference at ';', a comment at "-->", a
  // processing instruction at "?>". Anything else may end at any byte.
  enum class Kind : unsigned char { kFirst, kOpened, kTag, kReference, kBang, kComment, kPi, kAny };
  Kind kind_ = Kind::kFirst;
  char quote_ = 0;     // the quote we are inside of
  char last_[2] = {};  // the two bytes before, for "-->" and "?>"
};

}  // namespace xmpp
