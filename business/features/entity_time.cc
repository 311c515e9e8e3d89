// XEP-0202: Entity Time 2.0. The server's time; it has no other zone than UTC.
#include "business/features/entity_time.h"

#include <ctime>
#include <string>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

// XEP-0082: 2006-12-19T17:58:35Z
std::string UtcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  const size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, n);
}

Task<IqReply> Time(Iq) {
  xmpp::Element time("time", xmpp::ns::kTime);
  time.Add("tzo", xmpp::ns::kTime).AddText("+00:00");
  time.Add("utc", xmpp::ns::kTime).AddText(UtcNow());
  co_return IqReply::Result(std::move(time));
}

}  // namespace

Feature EntityTime() {
  Feature feature;
  feature.name = "entity_time";
  feature.specs = {{.xep = 202, .version = "2.0"}};
  feature.disco.server = {xmpp::ns::kTime};
  feature.iqs = {{IqType::kGet, xmpp::ns::kTime, "time", Addressee::kServer, Time}};
  return feature;
}

}  // namespace business
