// What every engine of DomainStore must do.
#pragma once

#include "tests/business/store/store_contract.h"

namespace business {

class DomainContract : public EngineContract {
 protected:
  using Put = DomainStore::Put;

  void SetUp() override {
    EngineContract::SetUp();
    domains_ = store_->Domains(&loop());
  }
  void TearDown() override {
    domains_.reset();
    EngineContract::TearDown();
  }
  Put Add(const std::string& name, const std::string& settings = "") {
    return Ask(
        [&] { return domains_->Add({.name = name, .added = 1700000000, .settings = settings}); });
  }
  DomainList List() {
    return Ask([&] { return domains_->List(); });
  }

  std::unique_ptr<DomainStore> domains_;
};

TEST_P(DomainContract, RaisesTheGenerationWithEachChangeAndOnlyThen) {
  EXPECT_EQ(List().generation, 0);
  EXPECT_TRUE(List().domains.empty());
  EXPECT_EQ(Add("verona.example", std::string("a\0b", 3)), Put::kDone);
  EXPECT_EQ(List().generation, 1);
  EXPECT_EQ(Add("verona.example", "other"), Put::kExists);
  EXPECT_EQ(List().generation, 1);
  EXPECT_EQ(Add("mantua.example"), Put::kDone);
  const DomainList list = List();
  EXPECT_EQ(list.generation, 2);
  ASSERT_EQ(list.domains.size(), 2u);
  EXPECT_EQ(list.domains[0].name, "mantua.example");
  EXPECT_EQ(list.domains[1].settings, std::string("a\0b", 3));
  EXPECT_EQ(list.domains[1].added, 1700000000);
  EXPECT_EQ(Ask([&] { return domains_->SetSettings("verona.example", "new"); }), Put::kDone);
  EXPECT_EQ(List().generation, 3);
  EXPECT_EQ(List().domains.at(1).settings, "new");
  EXPECT_EQ(Ask([&] { return domains_->SetSettings("nowhere.example", "new"); }), Put::kMissing);
  EXPECT_EQ(Ask([&] { return domains_->Remove("verona.example"); }), Put::kDone);
  EXPECT_EQ(Ask([&] { return domains_->Remove("verona.example"); }), Put::kMissing);
  EXPECT_EQ(List().generation, 4);
  EXPECT_EQ(List().domains.size(), 1u);
}

TEST_P(DomainContract, IsSeenByOtherServers) {
  Add("verona.example");
  auto other_store = Open();
  auto other = other_store->Domains(&loop());
  EXPECT_EQ(Ask([&] { return other->List(); }).generation, 1);
  EXPECT_EQ(Ask([&] { return other->Add({.name = "mantua.example"}); }), Put::kDone);
  EXPECT_EQ(List().generation, 2);
  EXPECT_GT(List().domains.at(0).added, 1700000000);
  other.reset();
  other_store.reset();
}

}  // namespace business
