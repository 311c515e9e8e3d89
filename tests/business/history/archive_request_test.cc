#include "business/history/archive_request.h"

#include <gtest/gtest.h>

#include "lib/cluster/cluster_id.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using xmpp::StanzaError;

const std::string kId = cluster::ClusterIdText(cluster::ClusterId{'a', 'b'});

std::variant<ArchiveRequest, StanzaError> Read(const std::string& inner,
                                               const std::string& attributes = "",
                                               HistoryOptions options = {}) {
  const auto query =
      xmpp::Element::Parse("<query xmlns='urn:xmpp:mam:2'" + attributes + ">" + inner + "</query>");
  EXPECT_TRUE(query) << inner;
  return ReadArchiveRequest(*query, options);
}

ArchiveRequest Good(const std::string& inner, const std::string& attributes = "",
                    HistoryOptions options = {}) {
  auto read = Read(inner, attributes, options);
  const auto* error = std::get_if<StanzaError>(&read);
  EXPECT_EQ(error, nullptr) << inner << ": " << (error != nullptr ? error->text : "");
  return error == nullptr ? std::get<ArchiveRequest>(read) : ArchiveRequest();
}

std::string Refused(const std::string& inner, const std::string& attributes = "") {
  auto read = Read(inner, attributes);
  const auto* error = std::get_if<StanzaError>(&read);
  EXPECT_NE(error, nullptr) << inner;
  return error != nullptr ? error->condition : "";
}

std::string Form(const std::string& fields, const std::string& type = "urn:xmpp:mam:2") {
  return "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>" + type +
         "</value></field>" + fields + "</x>";
}
std::string Field(const std::string& var, const std::string& value) {
  return "<field var='" + var + "'><value>" + value + "</value></field>";
}
std::string Page(const std::string& inner) {
  return "<set xmlns='http://jabber.org/protocol/rsm'>" + inner + "</set>";
}

TEST(ArchiveRequest, WithoutAnythingIsTheFirstPageOfAll) {
  const ArchiveRequest request = Good("", " queryid='q1'");
  EXPECT_EQ(request.query_id, "q1");
  EXPECT_EQ(request.query.max, 50u);
  EXPECT_FALSE(request.query.backward);
  EXPECT_FALSE(request.query.flip);
  EXPECT_FALSE(request.query.anchor);
  EXPECT_TRUE(request.unfiltered);
  EXPECT_EQ(request.query.count_up_to, 0u);
}

TEST(ArchiveRequest, TakesEachField) {
  const ArchiveQuery query =
      Good(Form(Field("with", "Juliet@Example.org/balcony") +
                Field("start", "1969-07-21T02:56:15Z") +
                Field("end", "2010-08-07T00:00:00.5+01:00") + Field("after-id", kId) +
                Field("before-id", kId) + Field("{urn:xmpp:fulltext:0}fulltext", "where art thou") +
                "<field var='ids'><value>" + kId + "</value><value>" + kId + "</value></field>" +
                Field("include-groupchat", "true")))
          .query;
  EXPECT_EQ(query.with.ToString(), "juliet@example.org/balcony");
  EXPECT_EQ(query.start_ms, -14159025000);
  EXPECT_EQ(query.end_ms, 1281135600500);
  EXPECT_EQ(query.after_id->size(), 16u);
  EXPECT_EQ(query.before_id->substr(0, 2), "ab");
  EXPECT_EQ(query.ids.size(), 2u);
  EXPECT_EQ(query.text, "where art thou");
}

TEST(ArchiveRequest, TakesPagesBothWays) {
  ArchiveQuery query = Good(Page("<max>10</max><after>" + kId + "</after>")).query;
  EXPECT_EQ(query.max, 10u);
  EXPECT_FALSE(query.backward);
  EXPECT_TRUE(query.anchor);
  query = Good(Page("<before/>") + "<flip-page/>").query;
  EXPECT_TRUE(query.backward);
  EXPECT_FALSE(query.anchor);
  EXPECT_TRUE(query.flip);
  query = Good(Page("<before>" + kId + "</before>")).query;
  EXPECT_TRUE(query.backward);
  EXPECT_TRUE(query.anchor);
}

TEST(ArchiveRequest, GivesNoMoreThanAPageHolds) {
  EXPECT_EQ(Good(Page("<max>1000000000</max>")).query.max, 250u);
  HistoryOptions options;
  options.page = 20;
  options.page_max = 30;
  EXPECT_EQ(Good("", "", options).query.max, 20u);
  EXPECT_EQ(Good(Page("<max>31</max>"), "", options).query.max, 30u);
}

TEST(ArchiveRequest, CountsOnlyForWhoAsksForNothingElse) {
  EXPECT_EQ(Good(Page("<max>0</max>")).query.count_up_to, 10000u);
  EXPECT_EQ(Good(Page("<max>1</max>")).query.count_up_to, 0u);
}

TEST(ArchiveRequest, KnowsWhetherItsNewestRowIsTheArchivesNewest) {
  EXPECT_TRUE(Good(Form(Field("start", "2010-08-07T00:00:00Z"))).unfiltered);
  EXPECT_TRUE(Good(Form(Field("after-id", kId))).unfiltered);
  EXPECT_FALSE(Good(Form(Field("end", "2010-08-07T00:00:00Z"))).unfiltered);
  EXPECT_FALSE(Good(Form(Field("before-id", kId))).unfiltered);
  EXPECT_FALSE(Good(Form(Field("with", "a@b"))).unfiltered);
  EXPECT_FALSE(Good(Form(Field("ids", kId))).unfiltered);
  EXPECT_FALSE(Good(Form(Field("{urn:xmpp:fulltext:0}fulltext", "x"))).unfiltered);
}

TEST(ArchiveRequest, RefusesByTheProtocolsConditions) {
  EXPECT_EQ(Refused(Form(Field("start", "yesterday"))), "bad-request");
  EXPECT_EQ(Refused(Form(Field("end", ""))), "bad-request");
  EXPECT_EQ(Refused(Form(Field("include-groupchat", "perhaps"))), "bad-request");
  EXPECT_EQ(Refused(Form("", "urn:other")), "bad-request");
  EXPECT_EQ(Refused(Form(Field("with", "a@b@c"))), "jid-malformed");
  EXPECT_EQ(Refused(Form(Field("{urn:test}what", "x"))), "feature-not-implemented");
  EXPECT_EQ(Refused(Form(Field("after-id", "1' OR '1'='1"))), "item-not-found");
  EXPECT_EQ(Refused(Form(Field("before-id", ""))), "item-not-found");
  EXPECT_EQ(Refused(Form(Field("ids", "x"))), "item-not-found");
  EXPECT_EQ(Refused(Page("<after>x</after>")), "item-not-found");
  EXPECT_EQ(Refused(Page("<index>3</index>")), "feature-not-implemented");
  EXPECT_EQ(Refused(Page("<after>" + kId + "</after><before>" + kId + "</before>")), "bad-request");
  EXPECT_EQ(Refused("", " node='n'"), "item-not-found");
}

TEST(ArchiveRequest, RefusesWhatIsTooMuch) {
  std::string ids;
  for (int i = 0; i < 251; ++i) ids += "<value>" + kId + "</value>";
  EXPECT_EQ(Refused(Form("<field var='ids'>" + ids + "</field>")), "policy-violation");
  EXPECT_EQ(Refused(Form(Field("{urn:xmpp:fulltext:0}fulltext", std::string(1025, 'x')))),
            "policy-violation");
  EXPECT_EQ(Refused("", " queryid='" + std::string(257, 'q') + "'"), "policy-violation");
}

TEST(ArchiveRequest, FormNamesEveryFieldThatIsRead) {
  const std::string form = ArchiveForm().Write();
  for (const char* field : {"with", "start", "end", "before-id", "after-id", "ids",
                            "include-groupchat", "{urn:xmpp:fulltext:0}fulltext"}) {
    EXPECT_NE(form.find("var='" + std::string(field) + "'"), std::string::npos) << field << form;
  }
}

}  // namespace
}  // namespace business
