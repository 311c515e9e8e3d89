// XEP-0115: Entity Capabilities 1.6, §6.3: the hash of what the server's disco#info says, in the
// stream's features, so that clients need not ask.
#include "business/features/server_caps.h"

#include <string>
#include <utility>
#include <vector>

#include "business/pep/caps_hash.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;

constexpr std::string_view kNode = "https://xylem.im/server";
constexpr std::string_view kHash = "sha-1";  // §5.1: the one that has to be supported

// The answers do not change once all features are there.
class Caps {
 public:
  explicit Caps(const std::shared_ptr<const DiscoAnswers>& answers) : answers_(answers) {}

  std::shared_ptr<const DiscoAnswers> answers() const { return answers_.lock(); }
  const std::string& Ver() {
    if (!ver_.empty()) return ver_;
    const auto text = CapsString(answers()->server);
    const auto ver = text ? CapsVer(kHash, *text) : std::nullopt;
    ver_ = ver.value_or(std::string());
    return ver_;
  }

 private:
  // The answers hold this one's extension. Whoever asks it holds them.
  const std::weak_ptr<const DiscoAnswers> answers_;
  std::string ver_;
};

std::string Announcement(Caps& caps) {
  const std::string& ver = caps.Ver();
  if (ver.empty()) return {};
  Element c("c", ns::kCaps);
  c.SetAttr("hash", std::string(kHash));
  c.SetAttr("node", std::string(kNode));
  c.SetAttr("ver", ver);
  return c.Write();
}

// §6.2: a client asks for exactly what the hash stands for.
Task<std::optional<DiscoPart>> AtNode(std::shared_ptr<Caps> caps, std::string node) {
  if (node.empty() || node != std::string(kNode) + "#" + caps->Ver()) co_return std::nullopt;
  std::vector<Element> children;
  const auto answers = caps->answers();
  for (const Element* child : answers->server.Elements()) children.push_back(*child);
  co_return DiscoPart(std::move(children));
}

}  // namespace

Feature ServerCaps(std::shared_ptr<const DiscoAnswers> answers) {
  Feature feature;
  feature.name = "server_caps";
  feature.specs = {{.xep = 115, .version = "1.6.0"}};
  const auto caps = std::make_shared<Caps>(answers);
  feature.stream_features = {[caps] { return Announcement(*caps); }};
  feature.disco_extensions = {
      {.addressee = Addressee::kServer,
       .info = [caps](Iq, std::string node) { return AtNode(caps, std::move(node)); },
       .items = nullptr}};
  return feature;
}

}  // namespace business
