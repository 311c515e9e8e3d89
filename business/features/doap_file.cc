#include "business/features/doap_file.h"

#include <cstdio>

#include "business/features/spec_table.h"
#include "lib/xmpp/canonical_writer.h"

namespace business {
namespace {

constexpr char kHead[] =
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'\n"
    "         xmlns='http://usefulinc.com/ns/doap#'\n"
    "         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>\n"
    "  <Project>\n"
    "    <name>Xylem</name>\n"
    "    <shortdesc xml:lang='en'>An XMPP server that is a cluster from its first process</shortdesc>\n"
    "    <programming-language>C++</programming-language>\n"
    "    <os>Linux</os>\n"
    "    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>\n";
constexpr char kTail[] = "  </Project>\n</rdf:RDF>\n";

std::string Entry(const SpecRow& row) {
  char link[64];
  if (row.spec.xep == 0) {
    std::snprintf(link, sizeof link, "https://xmpp.org/rfcs/rfc%d.html", row.spec.rfc);
    return std::string("    <implements rdf:resource='") + link + "'/>\n";
  }
  std::snprintf(link, sizeof link, "https://xmpp.org/extensions/xep-%04d.html", row.spec.xep);
  std::string entry = "    <implements>\n      <xmpp:SupportedXep>\n        <xmpp:xep";
  xmpp::AppendAttribute(&entry, "rdf:resource", link);
  entry += "/>\n        <xmpp:status>";
  entry += row.spec.partial ? "partial" : "complete";
  entry += "</xmpp:status>\n";
  if (!row.spec.version.empty()) {
    entry.append("        <xmpp:version>").append(row.spec.version).append("</xmpp:version>\n");
  }
  return entry + "      </xmpp:SupportedXep>\n    </implements>\n";
}

}  // namespace

std::string DoapFile(const std::vector<Feature>& features) {
  std::string file = kHead;
  for (const SpecRow& row : SpecRows(features)) file += Entry(row);
  return file + kTail;
}

}  // namespace business
