#include "business/pubsub/node_config.h"

#include <gtest/gtest.h>

#include "business/pubsub/node_access.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using xmpp::DataForm;

const NodeConfigLimits kLimits;

DataForm Options(std::initializer_list<std::pair<const char*, const char*>> fields) {
  DataForm form = DataForm::Of("submit", xmpp::ns::kPubsubPublishOptions);
  for (const auto& [var, value] : fields) form.Add(var, {}, value);
  return form;
}

TEST(NodeConfig, HasTheDefaultsOfPep) {
  const NodeConfig config;
  EXPECT_EQ(config.access, AccessModel::kPresence);
  EXPECT_EQ(config.max_items, 1u);
  EXPECT_TRUE(config.persist_items);
  EXPECT_EQ(config.send_last, SendLast::kOnSubAndPresence);
}

TEST(NodeConfig, StandsInTheStoreAsItWas) {
  NodeConfig config;
  EXPECT_EQ(NodeConfig::Read(config.Write()), config);
  config.access = AccessModel::kRoster;
  config.roster_groups = {"Friends", "<Family>"};
  config.max_items.reset();
  config.send_last = SendLast::kNever;
  config.persist_items = false;
  config.notify_retract = true;
  config.headline = false;
  config.max_payload_size = 77;
  config.title = "It's mine";
  EXPECT_EQ(NodeConfig::Read(config.Write()), config);
}

TEST(NodeConfig, SkipsWhatALaterVersionWrote) {
  EXPECT_EQ(NodeConfig::Read("<x xmlns='jabber:x:data' type='submit'><field var='pubsub#new'>"
                             "<value>1</value></field></x>"),
            NodeConfig());
  EXPECT_EQ(NodeConfig::Read("damaged"), NodeConfig());
  EXPECT_EQ(NodeConfig::Read(""), NodeConfig());
}

TEST(NodeConfig, TakesAForm) {
  NodeConfig config;
  EXPECT_FALSE(ApplyForm(Options({{"pubsub#access_model", "open"},
                                  {"pubsub#max_items", "max"},
                                  {"pubsub#collection", "whatever"}}),
                         kLimits, &config));
  EXPECT_EQ(config.access, AccessModel::kOpen);
  EXPECT_FALSE(config.max_items);
}

TEST(NodeConfig, RefusesWhatCannotBe) {
  const auto refuse = [](const char* var, const char* value) {
    NodeConfig config;
    const auto error = ApplyForm(Options({{var, value}}), kLimits, &config);
    return error ? error->condition + error->app_condition : std::string("taken");
  };
  EXPECT_EQ(refuse("pubsub#access_model", "closed"), "not-acceptable");
  EXPECT_EQ(refuse("pubsub#access_model", "authorize"),
            "not-acceptable<unsupported-access-model "
            "xmlns='http://jabber.org/protocol/pubsub#errors'/>");
  EXPECT_EQ(refuse("pubsub#max_items", "many"), "not-acceptable");
  EXPECT_EQ(refuse("pubsub#max_items", "1001"),
            "not-acceptable<max-items-exceeded xmlns='http://jabber.org/protocol/pubsub#errors'/>");
  EXPECT_EQ(refuse("pubsub#persist_items", "perhaps"), "not-acceptable");
  EXPECT_EQ(refuse("pubsub#max_payload_size", "99999999"), "not-acceptable");
  EXPECT_EQ(refuse("pubsub#max_items", "1000"), "taken");
}

TEST(PublishOptions, AreMetByANodeThatIsSo) {
  NodeConfig config;
  config.access = AccessModel::kWhitelist;
  config.max_items.reset();
  EXPECT_EQ(CheckOptions(Options({{"pubsub#access_model", "whitelist"},
                                  {"pubsub#persist_items", "true"},
                                  {"pubsub#max_items", "max"}}),
                         kLimits, config),
            Preconditions::kMet);
  // "max" stands for a number.
  EXPECT_EQ(CheckOptions(Options({{"pubsub#max_items", "1000"}}), kLimits, config),
            Preconditions::kMet);
  EXPECT_EQ(CheckOptions(Options({}), kLimits, config), Preconditions::kMet);
}

TEST(PublishOptions, AreNotMetByAnother) {
  const NodeConfig config;
  EXPECT_EQ(CheckOptions(Options({{"pubsub#access_model", "open"}}), kLimits, config),
            Preconditions::kNotMet);
  EXPECT_EQ(CheckOptions(Options({{"pubsub#max_items", "max"}}), kLimits, config),
            Preconditions::kNotMet);
  EXPECT_EQ(CheckOptions(Options({{"pubsub#nonsense", "1"}}), kLimits, config),
            Preconditions::kUnknown);
}

std::string Denied(const NodeConfig& config, PubsubAffiliation affiliation,
                   const PubsubAsker& asker) {
  const auto error = MayRead(config, affiliation, false, asker);
  return error ? error->condition : "";
}

TEST(NodeAccess, FollowsTheAccessModel) {
  NodeConfig config;
  config.roster_groups = {"Friends"};
  PubsubAsker stranger, subscriber, friendly, owner;
  subscriber.presence = true;
  friendly.presence = true;
  friendly.groups = {"Work", "Friends"};
  owner.service = true;
  using A = PubsubAffiliation;
  config.access = AccessModel::kOpen;
  EXPECT_EQ(Denied(config, A::kNone, stranger), "");
  EXPECT_EQ(Denied(config, A::kOutcast, subscriber), "forbidden");
  config.access = AccessModel::kPresence;
  EXPECT_EQ(Denied(config, A::kNone, stranger), "not-authorized");
  EXPECT_EQ(Denied(config, A::kNone, subscriber), "");
  EXPECT_EQ(Denied(config, A::kMember, stranger), "");
  config.access = AccessModel::kRoster;
  EXPECT_EQ(Denied(config, A::kNone, subscriber), "not-authorized");
  EXPECT_EQ(Denied(config, A::kNone, friendly), "");
  config.access = AccessModel::kWhitelist;
  EXPECT_EQ(Denied(config, A::kNone, friendly), "not-allowed");
  EXPECT_EQ(Denied(config, A::kMember, stranger), "");
  EXPECT_EQ(Denied(config, A::kPublishOnly, stranger), "forbidden");
  EXPECT_EQ(Denied(config, A::kNone, owner), "");
}

TEST(NodeAccess, LetsPublishersPublish) {
  NodeConfig config;
  PubsubAsker stranger, owner;
  owner.service = true;
  using A = PubsubAffiliation;
  EXPECT_TRUE(MayPublish(config, A::kNone, false, owner));
  EXPECT_TRUE(MayPublish(config, A::kPublisher, false, stranger));
  EXPECT_TRUE(MayPublish(config, A::kPublishOnly, false, stranger));
  EXPECT_FALSE(MayPublish(config, A::kMember, true, stranger));
  config.publish = PublishModel::kSubscribers;
  EXPECT_TRUE(MayPublish(config, A::kNone, true, stranger));
  EXPECT_FALSE(MayPublish(config, A::kNone, false, stranger));
  config.publish = PublishModel::kOpen;
  EXPECT_TRUE(MayPublish(config, A::kNone, false, stranger));
  EXPECT_FALSE(MayPublish(config, A::kOutcast, true, stranger));
}

}  // namespace
}  // namespace business
