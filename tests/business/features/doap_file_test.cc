#include "business/features/doap_file.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "business/features/feature_list.h"

namespace business {
namespace {

TEST(DoapFile, NamesEachSpecificationOnce) {
  Feature one, two;
  one.name = "one";
  one.specs = {{.xep = 199, .version = "2.0.1"}, {.xep = 60, .version = "1.30.0", .partial = true}};
  two.name = "two";
  two.specs = {{.xep = 199, .version = "2.0.1"}, {.rfc = 6121}};
  const std::string file = DoapFile({one, two});
  const size_t rfc = file.find("<implements rdf:resource='https://xmpp.org/rfcs/rfc6121.html'/>");
  const size_t pubsub = file.find(
      "<xmpp:xep rdf:resource='https://xmpp.org/extensions/xep-0060.html'/>\n"
      "        <xmpp:status>partial</xmpp:status>\n"
      "        <xmpp:version>1.30.0</xmpp:version>");
  const size_t ping = file.find(
      "<xmpp:xep rdf:resource='https://xmpp.org/extensions/xep-0199.html'/>\n"
      "        <xmpp:status>complete</xmpp:status>");
  ASSERT_NE(rfc, std::string::npos);
  EXPECT_LT(rfc, pubsub);
  EXPECT_LT(pubsub, ping);
  ASSERT_NE(ping, std::string::npos);
  EXPECT_EQ(file.find("xep-0199", ping + 60), std::string::npos);
}

TEST(DoapFile, HasEverySpecificationOfTheTable) {
  const std::vector<Feature> features = AllFeatures({});
  const std::string file = DoapFile(features);
  size_t entries = 0;
  for (size_t at = file.find("<implements"); at != std::string::npos;
       at = file.find("<implements", at + 1)) {
    ++entries;
  }
  std::set<std::pair<int, int>> specs;
  for (const Feature& feature : features) {
    for (const Spec& spec : feature.specs) specs.insert({spec.xep, spec.rfc});
  }
  EXPECT_EQ(entries, specs.size());
  EXPECT_GT(entries, 20u);
}

}  // namespace
}  // namespace business
