// What disco#info says of the server and of accounts: put together from all features' declarations.
#pragma once

#include <vector>

#include "business/feature.h"
#include "lib/xmpp/element.h"

namespace business {

struct DiscoAnswers {
  // Content of <query/>: identities, then features in order and each once (XEP-0115 §5.1 wants no
  // repetitions).
  static DiscoAnswers Of(const std::vector<Feature>& features);

  xmpp::Element server;   // {disco#info}query
  xmpp::Element account;  // {disco#info}query
};

}  // namespace business
