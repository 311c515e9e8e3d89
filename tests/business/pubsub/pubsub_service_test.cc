// The verbs of XEP-0060 over SQLite, asked as stanzas ask them.
#include "business/pubsub/pubsub_service.h"

#include <gtest/gtest.h>

#include "business/pubsub/pubsub_request.h"
#include "business/store/store.h"
#include "lib/xmpp/namespaces.h"
#include "tests/business/store/store_fixture.h"

namespace business {
namespace {

using xmpp::Element;
using xmpp::Jid;

constexpr char kPublishOptions[] =
    "<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>"
    "<value>http://jabber.org/protocol/pubsub#publish-options</value></field>";

std::string Option(const std::string& var, const std::string& value) {
  return "<field var='pubsub#" + var + "'><value>" + value + "</value></field>";
}

class Pubsub : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Store::Open({.url = "sqlite:" + dir_.File("store")});
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    auto accounts = store_->Accounts(&loop());
    ASSERT_TRUE(RunOn(loop(), [&] { return accounts->Add(MakeAccount("juliet@example.org")); }));
    pubsub_ = store_->Pubsub(&loop());
    PubsubRules rules;
    rules.limits.max_items = 5;
    rules.limits.max_payload = 200;
    rules.max_nodes = 3;
    rules.answer_bytes = 150;
    service_ = std::make_unique<PubsubService>(pubsub_.get(), rules);
    juliet_.jid = Jid::FromNormalized("juliet@example.org/balcony");
    juliet_.service = true;
    romeo_.jid = Jid::FromNormalized("romeo@example.org/garden");
  }
  void TearDown() override {
    service_.reset();
    pubsub_.reset();
    store_.reset();
    loops_.StopAndJoin();
  }
  runtime::EventLoop& loop() { return loops_.at(0); }

  PubsubAnswer Ask(const PubsubAsker& asker, bool set, const std::string& ns,
                   const std::string& content, bool repeated = false) {
    PubsubRequest request;
    request.owner = Jid::FromNormalized("juliet@example.org");
    request.asker = asker;
    request.set = set;
    request.unique = "unique";
    request.repeated = repeated;
    auto payload = Element::Parse("<pubsub xmlns='" + ns + "'>" + content + "</pubsub>");
    EXPECT_TRUE(payload) << content;
    if (payload) request.payload = *payload;
    return RunOn(loop(), [&] { return AnswerPubsub(service_.get(), request); });
  }
  // The reply's payload, "" for none, or the error's conditions.
  static std::string Text(const PubsubAnswer& answer) {
    if (const auto* error = std::get_if<xmpp::StanzaError>(&answer.reply)) {
      std::string text = error->condition;
      if (auto app = Element::Parse(error->app_condition)) text += " " + app->name();
      return text;
    }
    const auto& payload = std::get<0>(answer.reply);
    return payload ? payload->Write() : "";
  }
  std::string Set(const PubsubAsker& asker, const std::string& content) {
    last_ = Ask(asker, true, std::string(xmpp::ns::kPubsub), content);
    return Text(last_);
  }
  std::string Get(const PubsubAsker& asker, const std::string& content) {
    return Text(Ask(asker, false, std::string(xmpp::ns::kPubsub), content));
  }
  std::string SetOwner(const PubsubAsker& asker, const std::string& content) {
    last_ = Ask(asker, true, std::string(xmpp::ns::kPubsubOwner), content);
    return Text(last_);
  }
  std::string GetOwner(const PubsubAsker& asker, const std::string& content) {
    return Text(Ask(asker, false, std::string(xmpp::ns::kPubsubOwner), content));
  }
  std::string Publish(const std::string& node, const std::string& id,
                      const std::string& options = "") {
    return Set(juliet_, "<publish node='" + node + "'><item id='" + id + "'><a xmlns='urn:a'>" +
                            id + "</a></item></publish>" + options);
  }
  std::string OneEvent() const {
    return last_.events.size() == 1 ? last_.events.front().content.Write()
                                    : std::to_string(last_.events.size()) + " events";
  }
  std::vector<std::string> Ids(const std::string& xml) const {
    std::vector<std::string> ids;
    for (size_t at = 0; (at = xml.find("<item id='", at)) != std::string::npos;) {
      at += 10;
      ids.push_back(xml.substr(at, xml.find('\'', at) - at));
    }
    return ids;
  }
  using Texts = std::vector<std::string>;

  TempDir dir_;
  runtime::LoopGroup loops_{"test", 1};
  std::unique_ptr<Store> store_;
  std::unique_ptr<PubsubStore> pubsub_;
  std::unique_ptr<PubsubService> service_;
  PubsubAsker juliet_, romeo_;
  PubsubAnswer last_;
};

TEST_F(Pubsub, PublishesAndMakesTheNode) {
  EXPECT_EQ(Publish("tune", "1"),
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='tune'>"
            "<item id='1'/></publish></pubsub>");
  EXPECT_EQ(OneEvent(),
            "<items xmlns='http://jabber.org/protocol/pubsub#event' node='tune'><item id='1'>"
            "<a xmlns='urn:a'>1</a></item></items>");
  EXPECT_EQ(last_.events.front().publisher.ToString(), "juliet@example.org/balcony");
  // One item is kept.
  Publish("tune", "2");
  EXPECT_EQ(Ids(Get(juliet_, "<items node='tune'/>")), (Texts{"2"}));
}

TEST_F(Pubsub, NamesItemsTheSameWhenTheyAreDoneAgain) {
  const std::string item = "<publish node='tune'><item><a xmlns='urn:a'/></item></publish>";
  EXPECT_EQ(Ids(Set(juliet_, item)), (Texts{"unique"}));
  EXPECT_EQ(Ids(Set(juliet_, item)), (Texts{"unique"}));
  EXPECT_EQ(last_.events.size(), 1u);  // whoever missed it the first time
}

TEST_F(Pubsub, RefusesItemsThatAreTooMuch) {
  const std::string big(300, 'x');
  EXPECT_EQ(Set(juliet_, "<publish node='n'><item><a xmlns='urn:a'>" + big + "</a></item></publish>"),
            "not-acceptable payload-too-big");
  EXPECT_EQ(Set(juliet_, "<publish node='n'><item><a xmlns='u'/><b xmlns='u'/></item></publish>"),
            "bad-request invalid-payload");
  EXPECT_EQ(Set(juliet_, "<publish node='n'><item/></publish>"), "bad-request payload-required");
  EXPECT_EQ(Set(juliet_, "<publish node='n'/>"), "bad-request item-required");
  EXPECT_EQ(Set(juliet_, "<publish><item><a xmlns='u'/></item></publish>"),
            "bad-request nodeid-required");
  EXPECT_EQ(Get(juliet_, "<items node='n'/>"), "item-not-found");  // nothing was made
}

TEST_F(Pubsub, CountsNodes) {
  for (const char* node : {"1", "2", "3"}) EXPECT_NE(Publish(node, "i").find("<item"), std::string::npos);
  EXPECT_EQ(Publish("4", "i"), "policy-violation max-nodes-exceeded");
  EXPECT_EQ(Set(juliet_, "<create node='4'/>"), "policy-violation max-nodes-exceeded");
}

TEST_F(Pubsub, MakesTheNodeAsTheOptionsWantIt) {
  const std::string options = kPublishOptions + Option("access_model", "open") +
                              Option("max_items", "3") + "</x></publish-options>";
  for (const char* id : {"1", "2", "3", "4"}) Publish("n", id, options);
  EXPECT_EQ(Ids(Get(romeo_, "<items node='n'/>")), (Texts{"2", "3", "4"}));
}

TEST_F(Pubsub, HoldsOptionsAgainstTheNode) {
  Publish("n", "1");
  const std::string open =
      kPublishOptions + Option("access_model", "open") + "</x></publish-options>";
  EXPECT_EQ(Publish("n", "2", open), "conflict precondition-not-met");
  EXPECT_EQ(Publish("n", "2", kPublishOptions + Option("nonsense", "1") + "</x></publish-options>"),
            "conflict precondition-not-met");
  EXPECT_EQ(Ids(Get(juliet_, "<items node='n'/>")), (Texts{"1"}));
  const std::string presence =
      kPublishOptions + Option("access_model", "presence") + "</x></publish-options>";
  EXPECT_EQ(Ids(Publish("n", "2", presence)), (Texts{"2"}));
}

TEST_F(Pubsub, KeepsNothingOfANodeThatIsNotPersistent) {
  const std::string options =
      kPublishOptions + Option("persist_items", "0") + "</x></publish-options>";
  EXPECT_EQ(Ids(Publish("n", "1", options)), (Texts{"1"}));
  EXPECT_EQ(last_.events.size(), 1u);
  EXPECT_EQ(Ids(Publish("n", "2")), (Texts{"2"}));
  EXPECT_EQ(last_.events.size(), 1u);
  EXPECT_EQ(Ids(Get(juliet_, "<items node='n'/>")), (Texts{}));
}

TEST_F(Pubsub, LetsNobodyElsePublish) {
  Publish("n", "1");
  const std::string item = "<publish node='n'><item><a xmlns='u'/></item></publish>";
  EXPECT_EQ(Set(romeo_, item), "forbidden");
  EXPECT_EQ(Set(romeo_, "<publish node='new'><item><a xmlns='u'/></item></publish>"),
            "item-not-found");
  EXPECT_EQ(SetOwner(juliet_, "<affiliations node='n'><affiliation jid='romeo@example.org' "
                              "affiliation='publisher'/></affiliations>"),
            "");
  EXPECT_EQ(Ids(Set(romeo_, item)), (Texts{"unique"}));
  EXPECT_EQ(Get(romeo_, "<affiliations/>"),
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><affiliations>"
            "<affiliation node='n' affiliation='publisher'/></affiliations></pubsub>");
}

TEST_F(Pubsub, ShowsItemsToWhoMaySeeThem) {
  Publish("n", "1");
  EXPECT_EQ(Get(romeo_, "<items node='n'/>"), "not-authorized presence-subscription-required");
  romeo_.presence = true;
  EXPECT_EQ(Ids(Get(romeo_, "<items node='n'/>")), (Texts{"1"}));
  SetOwner(juliet_, "<configure node='n'><x xmlns='jabber:x:data' type='submit'>" +
                        Option("access_model", "whitelist") + "</x></configure>");
  EXPECT_EQ(Get(romeo_, "<items node='n'/>"), "not-allowed closed-node");
  SetOwner(juliet_, "<affiliations node='n'><affiliation jid='romeo@example.org' "
                    "affiliation='member'/></affiliations>");
  EXPECT_EQ(Ids(Get(romeo_, "<items node='n'/>")), (Texts{"1"}));
}

TEST_F(Pubsub, GivesItemsByIdByNumberAndByPage) {
  const std::string options =
      kPublishOptions + Option("max_items", "max") + "</x></publish-options>";
  for (const char* id : {"1", "2", "3", "4", "5", "6"}) Publish("n", id, options);
  EXPECT_EQ(Ids(Get(juliet_, "<items node='n'/>")), (Texts{"2", "3", "4", "5", "6"}));
  EXPECT_EQ(Ids(Get(juliet_, "<items node='n' max_items='2'/>")), (Texts{"5", "6"}));
  EXPECT_EQ(Ids(Get(juliet_, "<items node='n'><item id='3'/><item id='9'/></items>")),
            (Texts{"3"}));
  const std::string set = "<set xmlns='http://jabber.org/protocol/rsm'>";
  const std::string first =
      Get(juliet_, "<items node='n'/>" + set + "<max>2</max></set>");
  EXPECT_EQ(Ids(first), (Texts{"2", "3"}));
  EXPECT_NE(first.find("<first>2</first><last>3</last><count>5</count>"), std::string::npos) << first;
  EXPECT_EQ(Ids(Get(juliet_, "<items node='n'/>" + set + "<max>2</max><after>3</after></set>")),
            (Texts{"4", "5"}));
  EXPECT_EQ(Ids(Get(juliet_, "<items node='n'/>" + set + "<max>2</max><before/></set>")),
            (Texts{"5", "6"}));
  EXPECT_EQ(Get(juliet_, "<items node='n'/>" + set + "<after>nowhere</after></set>"),
            "item-not-found");
}

TEST_F(Pubsub, LeavesTheRestOfABigAnswerForTheNextPage) {
  const std::string options =
      kPublishOptions + Option("max_items", "max") + "</x></publish-options>";
  const std::string text(60, 'x');
  for (const char* id : {"1", "2", "3"}) {
    Set(juliet_, "<publish node='n'><item id='" + std::string(id) + "'><a xmlns='urn:a'>" + text +
                     "</a></item></publish>" + options);
  }
  const std::string newest = Get(juliet_, "<items node='n'/>");
  EXPECT_EQ(Ids(newest), (Texts{"3"}));
  EXPECT_NE(newest.find("<count>3</count>"), std::string::npos);
}

TEST_F(Pubsub, RetractsAndTellsOfItIfAsked) {
  Publish("n", "1");
  EXPECT_EQ(Set(romeo_, "<retract node='n'><item id='1'/></retract>"), "forbidden");
  EXPECT_EQ(Set(juliet_, "<retract node='n'/>"), "bad-request item-required");
  EXPECT_EQ(Set(juliet_, "<retract node='n' notify='true'><item id='1'/></retract>"), "");
  EXPECT_EQ(OneEvent(),
            "<items xmlns='http://jabber.org/protocol/pubsub#event' node='n'><retract id='1'/>"
            "</items>");
  EXPECT_EQ(Set(juliet_, "<retract node='n'><item id='1'/></retract>"), "item-not-found");
  // Done by a server that died before it could say so.
  const PubsubAnswer again = Ask(juliet_, true, std::string(xmpp::ns::kPubsub),
                                 "<retract node='n' notify='1'><item id='1'/></retract>", true);
  EXPECT_EQ(Text(again), "");
  EXPECT_EQ(again.events.size(), 1u);
}

TEST_F(Pubsub, CreatesConfiguresPurgesAndDeletes) {
  EXPECT_EQ(Set(romeo_, "<create node='n'/>"), "forbidden");
  EXPECT_EQ(Set(juliet_, "<create node='n'/><configure><x xmlns='jabber:x:data' type='submit'>" +
                             Option("access_model", "open") + Option("notify_retract", "1") +
                             Option("notify_config", "1") + "</x></configure>"),
            "");
  EXPECT_EQ(Set(juliet_, "<create node='n'/>"), "conflict");
  EXPECT_NE(GetOwner(juliet_, "<configure node='n'/>").find("<value>open</value>"),
            std::string::npos);
  EXPECT_EQ(GetOwner(romeo_, "<configure node='n'/>"), "forbidden");
  EXPECT_NE(GetOwner(juliet_, "<default/>").find("pubsub#access_model"), std::string::npos);
  EXPECT_EQ(SetOwner(juliet_, "<configure node='n'><x xmlns='jabber:x:data' type='submit'>" +
                                  Option("title", "Mine") + "</x></configure>"),
            "");
  EXPECT_NE(OneEvent().find("<configuration"), std::string::npos);
  Publish("n", "1");
  EXPECT_EQ(SetOwner(romeo_, "<purge node='n'/>"), "forbidden");
  EXPECT_EQ(SetOwner(juliet_, "<purge node='n'/>"), "");
  EXPECT_EQ(OneEvent(), "<purge xmlns='http://jabber.org/protocol/pubsub#event' node='n'/>");
  EXPECT_EQ(Ids(Get(juliet_, "<items node='n'/>")), (Texts{}));
  EXPECT_EQ(SetOwner(romeo_, "<delete node='n'/>"), "forbidden");
  EXPECT_EQ(SetOwner(juliet_, "<delete node='n'/>"), "");
  EXPECT_EQ(OneEvent(), "<delete xmlns='http://jabber.org/protocol/pubsub#event' node='n'/>");
  EXPECT_EQ(SetOwner(juliet_, "<delete node='n'/>"), "item-not-found");
  EXPECT_EQ(Text(Ask(juliet_, true, std::string(xmpp::ns::kPubsubOwner), "<delete node='n'/>", true)),
            "");
}

TEST_F(Pubsub, SubscribesWhoMayRead) {
  Publish("n", "1");
  EXPECT_EQ(Set(romeo_, "<subscribe node='n' jid='romeo@example.org'/>"),
            "not-authorized presence-subscription-required");
  romeo_.presence = true;
  EXPECT_EQ(Set(romeo_, "<subscribe node='n' jid='nurse@example.org'/>"), "bad-request invalid-jid");
  EXPECT_EQ(Set(romeo_, "<subscribe node='n' jid='romeo@example.org'/>"),
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><subscription node='n' "
            "jid='romeo@example.org' subscription='subscribed'/></pubsub>");
  ASSERT_EQ(last_.events.size(), 1u);  // the last item
  EXPECT_EQ(last_.events.front().only.ToString(), "romeo@example.org");
  EXPECT_NE(Get(romeo_, "<subscriptions/>").find("node='n'"), std::string::npos);
  EXPECT_NE(GetOwner(juliet_, "<subscriptions node='n'/>").find("jid='romeo@example.org'"),
            std::string::npos);
  Publish("n", "2");
  ASSERT_EQ(last_.events.size(), 1u);
  EXPECT_EQ(last_.events.front().subscriptions.size(), 1u);
  EXPECT_EQ(Set(romeo_, "<unsubscribe node='n' jid='romeo@example.org'/>"), "");
  EXPECT_EQ(Set(romeo_, "<unsubscribe node='n' jid='romeo@example.org'/>"),
            "unexpected-request not-subscribed");
}

TEST_F(Pubsub, SaysWhatItCannotDo) {
  EXPECT_EQ(Get(juliet_, "<options node='n' jid='juliet@example.org'/>"),
            "feature-not-implemented unsupported");
  EXPECT_EQ(Get(juliet_, "<unheard-of/>"), "feature-not-implemented");
  EXPECT_EQ(Get(juliet_, ""), "bad-request");
}

TEST(EventMessage, HasWhoPublishedAndWhen) {
  EXPECT_EQ(EventMessage(RetractContent("n", {"1"}), true, "x", "juliet@example.org/balcony", 1000),
            "<message type='headline' id='x'><event xmlns='http://jabber.org/protocol/pubsub#event'>"
            "<items node='n'><retract id='1'/></items></event><addresses "
            "xmlns='http://jabber.org/protocol/address'><address type='replyto' "
            "jid='juliet@example.org/balcony'/></addresses><delay xmlns='urn:xmpp:delay' "
            "stamp='1970-01-01T00:00:01Z'/></message>");
}

}  // namespace
}  // namespace business
