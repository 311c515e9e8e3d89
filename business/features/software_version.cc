// XEP-0092: Software Version 1.1. Name and version; the operating system is nobody's business (§5).
#include "business/features/software_version.h"

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

Task<IqReply> Version(Iq) {
  xmpp::Element query("query", xmpp::ns::kVersion);
  query.Add("name", xmpp::ns::kVersion).AddText("Xylem");
  query.Add("version", xmpp::ns::kVersion).AddText(XYLEM_VERSION);
  co_return IqReply::Result(std::move(query));
}

}  // namespace

Feature SoftwareVersion() {
  Feature feature;
  feature.name = "software_version";
  feature.specs = {{.xep = 92, .version = "1.1"}};
  feature.disco.server = {xmpp::ns::kVersion};
  feature.iqs = {{IqType::kGet, xmpp::ns::kVersion, "query", Addressee::kServer, Version}};
  return feature;
}

}  // namespace business
