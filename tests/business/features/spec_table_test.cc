#include "business/features/spec_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "business/features/feature_list.h"

namespace business {
namespace {

TEST(SpecTable, HasOneRowASpecificationInOrderOfNumber) {
  Feature one, two;
  one.name = "one";
  one.specs = {{.xep = 199, .version = "2.0.1"}, {.xep = 30, .version = "2.5"}};
  two.name = "two";
  two.specs = {{.xep = 30, .version = "2.5"}, {.rfc = 6121}};
  EXPECT_EQ(SpecTable({one, two}),
            "| Specification | Version | Feature |\n"
            "|---|---|---|\n"
            "| RFC 6121 |  | two |\n"
            "| XEP-0030 | 2.5 | one, two |\n"
            "| XEP-0199 | 2.0.1 | one |\n");
}

TEST(SpecTable, StandsInTheReadmeAsItIsPrinted) {
  std::ifstream file(XYLEM_README);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find("<!-- specs: begin -->\n" + SpecTable(AllFeatures({})) +
                            "<!-- specs: end -->"),
            std::string::npos)
      << "README.md, What works: put `business --list-specs` there";
}

}  // namespace
}  // namespace business
