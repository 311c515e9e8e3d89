// What disco says of the server and of accounts: put together from all features' declarations and
// from what they say when asked.
#pragma once

#include <memory>
#include <string>
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
  std::vector<DiscoExtension> extensions;
};

// What the extensions say of `node` of that addressee: `parts` has an entry for each that says
// something; the first error ends it.
struct DiscoParts {
  std::vector<std::vector<xmpp::Element>> parts;
  std::optional<xmpp::StanzaError> error;
};
enum class DiscoQuestion { kInfo, kItems };
Task<DiscoParts> AskExtensions(std::shared_ptr<const DiscoAnswers> answers, Addressee addressee,
                               DiscoQuestion question, Iq iq, std::string node);

}  // namespace business
