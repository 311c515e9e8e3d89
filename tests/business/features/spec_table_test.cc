#include "business/features/spec_table.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace business
