#include "business/auth/confusable_name.h"

#include "lib/xmpp/precis.h"

namespace business {

// The checker in lib/xmpp is "highly restrictive": what the "moderately restrictive" level refuses
// it refuses as well, and Latin mixed with a script that is hardly ever written beside it.
bool IsConfusable(std::string_view localpart) {
  return xmpp::IsMixedScript(localpart) || xmpp::LooksLikeAscii(localpart);
}

}  // namespace business
