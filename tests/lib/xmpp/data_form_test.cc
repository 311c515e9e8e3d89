#include "lib/xmpp/data_form.h"

#include <gtest/gtest.h>

#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/result_set.h"

namespace xmpp {
namespace {

TEST(DataForm, ReadsWhatItWrites) {
  DataForm form = DataForm::Of("form", "urn:example");
  form.title = "A <title>";
  form.Add("a", "text-single", "1").label = "First";
  FormField& list = form.Add("b", "list-single", "x");
  list.options = {{"One", "x"}, {"", "y"}};
  form.Add("c", "text-multi", "u").values.push_back("v");
  const Element written = form.Write();
  const auto again = DataForm::Read(written);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->FormType(), "urn:example");
  EXPECT_EQ(again->title, "A <title>");
  EXPECT_EQ(again->Find("a")->label, "First");
  EXPECT_EQ(again->Find("b")->options.size(), 2u);
  EXPECT_EQ(again->Find("c")->values, (std::vector<std::string>{"u", "v"}));
  EXPECT_EQ(again->Find("d"), nullptr);
  EXPECT_EQ(again->Write(), written);
}

TEST(DataForm, IsFoundBelowItsParentAndNowhereElse) {
  Element parent("configure", "urn:example");
  EXPECT_FALSE(DataForm::Below(parent));
  parent.Add("x", "urn:other");
  EXPECT_FALSE(DataForm::Below(parent));
  parent.Add("x", ns::kDataForms).SetAttr("type", "cancel");
  ASSERT_TRUE(DataForm::Below(parent));
  EXPECT_EQ(DataForm::Below(parent)->type, "cancel");
}

TEST(DataForm, KnowsBooleans) {
  EXPECT_EQ(ParseBoolean("1"), true);
  EXPECT_EQ(ParseBoolean("true"), true);
  EXPECT_EQ(ParseBoolean("0"), false);
  EXPECT_EQ(ParseBoolean("false"), false);
  EXPECT_EQ(ParseBoolean("yes"), std::nullopt);
}

TEST(ResultSet, ReadsAQuery) {
  Element parent("query", "urn:example");
  EXPECT_FALSE(ResultSetQuery::Below(parent));
  Element& set = parent.Add("set", ns::kRsm);
  set.Add("max", ns::kRsm).AddText("10");
  set.Add("before", ns::kRsm);
  set.Add("index", ns::kRsm).AddText("-1");
  const auto query = ResultSetQuery::Below(parent);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->max, 10u);
  EXPECT_EQ(query->before, "");
  EXPECT_FALSE(query->after);
  EXPECT_FALSE(query->index);
}

TEST(ResultSet, WritesAPage) {
  EXPECT_EQ((ResultSetPage{.first = "a", .last = "c", .index = 0, .count = 9}).Write().Write(),
            "<set xmlns='http://jabber.org/protocol/rsm'><first index='0'>a</first><last>c</last>"
            "<count>9</count></set>");
  EXPECT_EQ((ResultSetPage{.first = "", .last = "", .index = 0, .count = 0}).Write().Write(),
            "<set xmlns='http://jabber.org/protocol/rsm'><count>0</count></set>");
}

}  // namespace
}  // namespace xmpp
