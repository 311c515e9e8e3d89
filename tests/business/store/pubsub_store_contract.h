// What every engine of PubsubStore must do.
#pragma once

#include <set>

#include "tests/business/store/store_contract.h"

namespace business {

class PubsubContract : public EngineContract {
 protected:
  using Put = PubsubStore::Put;
  using Outcome = PubsubPublished::Outcome;
  using Ids = std::vector<std::string>;

  void SetUp() override {
    EngineContract::SetUp();
    AddAccount("juliet@example.com");
    pubsub_ = store_->Pubsub(&loop());
  }
  void TearDown() override {
    pubsub_.reset();
    EngineContract::TearDown();
  }
  Put Create(const std::string& name, uint32_t max_nodes = 100) {
    const PubsubNode node{.name = name, .config = "open", .created_ms = 5};
    const std::vector<PubsubAffiliate> affiliates = {
        {.node = name, .jid = juliet_, .affiliation = PubsubAffiliation::kOwner}};
    return Ask([&] { return pubsub_->CreateNode(juliet_, node, affiliates, max_nodes); });
  }
  PubsubItem Item(const std::string& id, const std::string& payload = "<x/>") {
    return {.id = id,
            .publisher = AnyJid("juliet@example.com/balcony"),
            .payload = payload,
            .stamp_ms = 77};
  }
  PubsubPublished Publish(PubsubPublish publish) {
    return Ask([&] { return pubsub_->Publish(juliet_, publish); });
  }
  PubsubPublished PublishOne(const std::string& id, uint32_t max_items = 10,
                             const std::string& payload = "<x/>") {
    return Publish({.node = "n", .items = {Item(id, payload)}, .max_items = max_items});
  }
  PubsubPage Items(PubsubQuery query) {
    return Ask([&] { return pubsub_->Items(juliet_, query); });
  }
  static Ids IdsOf(const std::vector<PubsubItem>& items) {
    Ids ids;
    for (const PubsubItem& item : items) ids.push_back(item.id);
    return ids;
  }
  Ids All(const std::string& node = "n") { return IdsOf(Items({.node = node, .max = 1000}).items); }
  std::optional<PubsubNode> Find(const std::string& name) {
    return Ask([&] { return pubsub_->FindNode(juliet_, name); });
  }
  Ids Nodes(const std::string& after, uint32_t limit) {
    Ids names;
    for (const auto& node : Ask([&] { return pubsub_->Nodes(juliet_, after, limit); })) {
      names.push_back(node.name);
    }
    return names;
  }

  const xmpp::BareJid juliet_ = Bare("juliet@example.com");
  std::unique_ptr<PubsubStore> pubsub_;
};

TEST_P(PubsubContract, MakesConfiguresListsAndDeletesNodes) {
  EXPECT_FALSE(Find("n"));
  EXPECT_EQ(Create("n"), Put::kDone);
  EXPECT_EQ(Create("n"), Put::kExists);
  const auto node = Find("n");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->config, "open");
  EXPECT_EQ(node->type, "leaf");
  EXPECT_EQ(node->version, 1);
  EXPECT_EQ(node->created_ms, 5);
  const auto configure = [&](const std::string& name, int64_t version) {
    return Ask([&] { return pubsub_->Configure(juliet_, name, "whitelist", version); });
  };
  EXPECT_EQ(configure("n", 7), Put::kConflict);
  EXPECT_EQ(Find("n")->config, "open");
  EXPECT_EQ(configure("n", 1), Put::kDone);
  EXPECT_EQ(configure("n", 0), Put::kDone);
  EXPECT_EQ(Find("n")->config, "whitelist");
  EXPECT_EQ(Find("n")->version, 3);
  EXPECT_EQ(configure("m", 0), Put::kMissing);
  Create("m");
  Create("o");
  EXPECT_EQ(Nodes("", 10), (Ids{"m", "n", "o"}));
  EXPECT_EQ(Nodes("m", 1), (Ids{"n"}));
  PublishOne("1");
  const auto remove = [&] { return Ask([&] { return pubsub_->DeleteNode(juliet_, "n"); }); };
  EXPECT_EQ(remove(), Put::kDone);
  EXPECT_EQ(remove(), Put::kMissing);
  Create("n");
  EXPECT_EQ(All(), Ids{}) << "its items went with it";
}

TEST_P(PubsubContract, HasBoundsAndOwners) {
  EXPECT_EQ(Create("a", 1), Put::kDone);
  EXPECT_EQ(Create("b", 1), Put::kFull);
  EXPECT_EQ(
      Publish({.node = "b", .items = {Item("1")}, .create = PubsubNode{}, .max_nodes = 1}).outcome,
      Outcome::kFull);
  const auto nobody = AnyJid("nobody@example.com");
  EXPECT_EQ(Ask([&] {
              return pubsub_->CreateNode(nobody, {.name = "n"}, std::vector<PubsubAffiliate>(), 9);
            }),
            Put::kNoOwner);
  const PubsubPublish publish{.node = "b", .items = {Item("1")}, .create = PubsubNode{}};
  EXPECT_EQ(Ask([&] { return pubsub_->Publish(nobody, publish); }).outcome, Outcome::kNoOwner);
  EXPECT_EQ(Publish({.node = "b", .items = {Item("1")}}).outcome, Outcome::kNoNode);
}

TEST_P(PubsubContract, PublishesAndTrimsTheOldest) {
  Create("n");
  for (const char* id : {"1", "2", "3"}) EXPECT_TRUE(PublishOne(id, 3).evicted.empty());
  EXPECT_EQ(PublishOne("4", 3).evicted, Ids{"1"});
  EXPECT_EQ(All(), (Ids{"2", "3", "4"}));
  EXPECT_EQ(PublishOne("5", 1).evicted, (Ids{"2", "3", "4"}));
  EXPECT_EQ(All(), Ids{"5"});
  const PubsubItem item = Items({.node = "n"}).items.at(0);
  EXPECT_EQ(item.publisher.ToString(), "juliet@example.com/balcony");
  EXPECT_EQ(item.payload, "<x/>");
  EXPECT_EQ(item.stamp_ms, 77);
}

TEST_P(PubsubContract, MovesAnItemThatIsPublishedAnewToTheEnd) {
  Create("n");
  for (const char* id : {"1", "2", "3"}) PublishOne(id);
  EXPECT_EQ(PublishOne("1", 10, "<y/>").outcome, Outcome::kDone);
  EXPECT_EQ(All(), (Ids{"2", "3", "1"}));
  EXPECT_EQ(Items({.node = "n", .ids = {"1"}}).items.at(0).payload, "<y/>");
  EXPECT_EQ(Items({.node = "n"}).count, 3u);
}

// R4: after an unknown outcome it is published again; what came meanwhile stays the newest.
TEST_P(PubsubContract, LeavesTheOrderAloneWhenAPublicationIsRepeated) {
  Create("n");
  for (const char* id : {"1", "2"}) PublishOne(id);
  EXPECT_EQ(PublishOne("1").outcome, Outcome::kRepeated);
  EXPECT_EQ(All(), (Ids{"1", "2"}));
}

TEST_P(PubsubContract, MakesAMissingNodeWhilePublishing) {
  PubsubPublish publish{
      .node = "n",
      .items = {Item("current")},
      .create = PubsubNode{.config = "presence"},
      .create_affiliates = {
          {.node = "n", .jid = juliet_, .affiliation = PubsubAffiliation::kOwner}}};
  EXPECT_TRUE(Publish(publish).created);
  EXPECT_EQ(Find("n")->config, "presence");
  EXPECT_EQ(Ask([&] { return pubsub_->Affiliations(juliet_, "n"); }).size(), 1u);
  publish.items = {Item("current", "<y/>")};
  publish.create->config = "other";
  EXPECT_FALSE(Publish(publish).created);
  EXPECT_EQ(Find("n")->config, "presence");
  publish.items = {Item("current", "<z/>")};
  publish.expected_version = 2;
  EXPECT_EQ(Publish(publish).outcome, Outcome::kConflict);
  EXPECT_EQ(Items({.node = "n"}).items.at(0).payload, "<y/>");
  publish.expected_version = 1;
  EXPECT_EQ(Publish(publish).outcome, Outcome::kDone);
}

TEST_P(PubsubContract, RetractsAndPurges) {
  Create("n");
  for (const char* id : {"1", "2", "3"}) PublishOne(id);
  const auto retract = [&](const std::string& node) {
    const Ids ids = {"3", "1", "x"};
    return Ask([&] { return pubsub_->Retract(juliet_, node, ids); });
  };
  EXPECT_EQ(retract("n"), (Ids{"3", "1"}));
  EXPECT_EQ(retract("n"), Ids{});
  EXPECT_EQ(retract("m"), std::nullopt);
  EXPECT_EQ(All(), Ids{"2"});
  EXPECT_EQ(Ask([&] { return pubsub_->Purge(juliet_, "n"); }), Put::kDone);
  EXPECT_EQ(Ask([&] { return pubsub_->Purge(juliet_, "m"); }), Put::kMissing);
  EXPECT_EQ(All(), Ids{});
  EXPECT_TRUE(Find("n"));
}

TEST_P(PubsubContract, GivesItemsInPages) {
  Create("n");
  for (int i = 1; i <= 7; ++i) PublishOne(std::to_string(i), 100);
  PubsubPage page = Items({.node = "n", .max = 3});
  EXPECT_EQ(IdsOf(page.items), (Ids{"1", "2", "3"}));
  EXPECT_FALSE(page.complete);
  EXPECT_EQ(page.count, 7u);
  page = Items({.node = "n", .anchor = "6", .max = 3});
  EXPECT_EQ(IdsOf(page.items), Ids{"7"});
  EXPECT_TRUE(page.complete);
  page = Items({.node = "n", .backward = true, .max = 2});
  EXPECT_EQ(IdsOf(page.items), (Ids{"6", "7"}));
  EXPECT_FALSE(page.complete);
  page = Items({.node = "n", .backward = true, .anchor = "3", .max = 5});
  EXPECT_EQ(IdsOf(page.items), (Ids{"1", "2"}));
  EXPECT_TRUE(page.complete);
  EXPECT_TRUE(Items({.node = "n", .anchor = "x"}).item_not_found);
  EXPECT_TRUE(Items({.node = "m"}).node_missing);
  EXPECT_EQ(Items({.node = "n", .max = 0}).count, 7u);
  EXPECT_EQ(IdsOf(Items({.node = "n", .ids = {"5", "x", "2", "5"}}).items), (Ids{"2", "5"}));
}

// XEP-0163 §4.3.4.
TEST_P(PubsubContract, GivesTheNewestItemOfEachNode) {
  for (const char* name : {"a", "b", "empty"}) Create(name);
  Publish({.node = "a", .items = {Item("1"), Item("2")}, .max_items = 5});
  Publish({.node = "b", .items = {Item("3")}, .max_items = 5});
  const auto newest = [&](const Ids& nodes) {
    return Ask([&] { return pubsub_->Newest(juliet_, nodes); });
  };
  const auto all = newest({});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].node.name, "a");
  EXPECT_EQ(all[0].node.config, "open");
  EXPECT_EQ(all[0].item.id, "2");
  EXPECT_EQ(all[1].item.id, "3");
  const auto some = newest({"b", "empty", "missing"});
  ASSERT_EQ(some.size(), 1u);
  EXPECT_EQ(some[0].node.name, "b");
}

TEST_P(PubsubContract, KeepsAffiliations) {
  Create("n");
  Create("m");
  const auto set = [&](const std::vector<PubsubAffiliate>& affiliates) {
    return Ask([&] { return pubsub_->SetAffiliations(juliet_, affiliates); });
  };
  const auto romeo = AnyJid("romeo@example.net");
  std::vector<PubsubAffiliate> wanted;
  int number = 0;
  for (const auto affiliation :
       {PubsubAffiliation::kOutcast, PubsubAffiliation::kMember, PubsubAffiliation::kPublishOnly,
        PubsubAffiliation::kPublisher, PubsubAffiliation::kOwner}) {
    wanted.push_back({.node = "n",
                      .jid = AnyJid("a" + std::to_string(number++) + "@example.org"),
                      .affiliation = affiliation});
  }
  EXPECT_EQ(set(wanted), Put::kDone);
  wanted.push_back({.node = "n", .jid = juliet_, .affiliation = PubsubAffiliation::kOwner});
  EXPECT_EQ(Ask([&] { return pubsub_->Affiliations(juliet_, "n"); }), wanted);
  set({{.node = "n", .jid = romeo, .affiliation = PubsubAffiliation::kMember},
       {.node = "m", .jid = romeo, .affiliation = PubsubAffiliation::kOutcast}});
  const auto of_romeo = [&] {
    return Ask([&] { return pubsub_->AffiliationsOf(juliet_, AnyJid("romeo@example.net/x")); });
  };
  ASSERT_EQ(of_romeo().size(), 2u);
  EXPECT_EQ(of_romeo()[0].node, "m");
  EXPECT_EQ(of_romeo()[0].affiliation, PubsubAffiliation::kOutcast);
  EXPECT_EQ(set({{.node = "m", .jid = romeo}, {.node = "x", .jid = romeo}}), Put::kMissing);
  EXPECT_EQ(of_romeo().size(), 2u) << "nothing was done";
  set({{.node = "m", .jid = romeo}});
  EXPECT_EQ(of_romeo().size(), 1u);
}

TEST_P(PubsubContract, KeepsSubscriptions) {
  Create("n");
  Create("m");
  const auto subscribe = [&](const PubsubSubscription& subscription, uint32_t max = 10) {
    return Ask([&] { return pubsub_->Subscribe(juliet_, subscription, max); });
  };
  PubsubSubscription full{.node = "n",
                          .jid = AnyJid("romeo@example.net/x"),
                          .subid = "1",
                          .state = PubsubSubscription::State::kPending,
                          .options = std::string("a\0", 2)};
  PubsubSubscription bare{.node = "m",
                          .jid = AnyJid("romeo@example.net"),
                          .state = PubsubSubscription::State::kUnconfigured};
  EXPECT_EQ(subscribe(full), Put::kDone);
  EXPECT_EQ(subscribe(bare), Put::kDone);
  EXPECT_EQ(subscribe({.node = "x", .jid = AnyJid("romeo@example.net")}), Put::kMissing);
  const auto of_romeo = [&] {
    return Ask([&] { return pubsub_->SubscriptionsOf(juliet_, AnyJid("romeo@example.net")); });
  };
  EXPECT_EQ(of_romeo(), (std::vector<PubsubSubscription>{bare, full}));
  full.state = PubsubSubscription::State::kSubscribed;
  full.options = "b";
  EXPECT_EQ(subscribe(full, 1), Put::kDone) << "replaces";
  EXPECT_EQ(subscribe({.node = "n", .jid = AnyJid("nurse@example.com")}, 1), Put::kFull);
  EXPECT_EQ(Ask([&] { return pubsub_->Subscriptions(juliet_, "n"); }),
            (std::vector<PubsubSubscription>{full}));
  const auto unsubscribe = [&](const std::string& subid) {
    return Ask([&] { return pubsub_->Unsubscribe(juliet_, "n", full.jid, subid); });
  };
  EXPECT_EQ(unsubscribe("2"), Put::kMissing);
  EXPECT_EQ(unsubscribe("1"), Put::kDone);
  EXPECT_EQ(of_romeo(), std::vector<PubsubSubscription>{bare});
}

TEST_P(PubsubContract, LosesAllWithTheAccountAndKeepsServicesApart) {
  auto owners = store_->Owners(&loop());
  const auto service = AnyJid("pubsub.example.com");
  Ask([&] { return owners->Add(service); });
  const PubsubPublish publish{.node = "n", .items = {Item("1")}, .create = PubsubNode{}};
  EXPECT_TRUE(Ask([&] { return pubsub_->Publish(service, publish); }).created);
  Create("n");
  EXPECT_EQ(All(), Ids{});
  RemoveAccount("juliet@example.com");
  EXPECT_FALSE(Find("n"));
  AddAccount("juliet@example.com");
  EXPECT_FALSE(Find("n"));
  EXPECT_TRUE(Ask([&] { return pubsub_->FindNode(service, "n"); }));
}

TEST_P(PubsubContract, NeverHoldsMoreThanItsMaximumWhoeverPublishes) {
  auto other_store = Open();
  auto other = other_store->Pubsub(&loop());
  std::vector<std::future<runtime::Result<PubsubPublished>>> publications;
  for (int i = 0; i < 60; ++i) {
    PubsubStore* store = i % 2 == 0 ? pubsub_.get() : other.get();
    publications.push_back(StartOn(loop(), [this, store, i] {
      PubsubPublish publish{
          .node = "n", .items = {Item(std::to_string(i))}, .max_items = 5, .create = PubsubNode{}};
      return store->Publish(juliet_, std::move(publish));
    }));
  }
  int created = 0;
  std::multiset<std::string> left;
  for (auto& publication : publications) {
    const auto result = publication.get();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->outcome, Outcome::kDone);
    if (result->created) ++created;
    left.insert(result->evicted.begin(), result->evicted.end());
  }
  EXPECT_EQ(created, 1);
  EXPECT_EQ(left.size(), 55u);
  EXPECT_EQ(std::set<std::string>(left.begin(), left.end()).size(), 55u);
  EXPECT_EQ(All().size(), 5u);
  other.reset();
  other_store.reset();
}

}  // namespace business
