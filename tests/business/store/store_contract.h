// What the contracts of the typed stores share. A contract is written against the interfaces; each
// engine instantiates all of them and must pass.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "business/store/store.h"
#include "tests/business/store/store_fixture.h"

namespace business {

// How tests get at an engine: each call makes an empty store and returns its URL.
using FreshStore = std::function<std::string()>;

class EngineContract : public ::testing::TestWithParam<FreshStore> {
 protected:
  void SetUp() override {
    url_ = GetParam()();
    store_ = Open();
    ASSERT_NE(store_, nullptr);
  }
  void TearDown() override {
    store_.reset();
    loops_.StopAndJoin();
  }
  runtime::EventLoop& loop() { return loops_.at(0); }

  // Another server on the same data.
  std::unique_ptr<Store> Open() {
    auto store = Store::Open({.url = url_});
    if (store) return std::move(*store);
    ADD_FAILURE() << store.error().message;
    return nullptr;
  }

  // Runs what `make` asks for and waits. An Error fails the test binary.
  template <typename Make>
  auto Ask(Make make) {
    auto answer = RunOn(loop(), std::move(make));
    if (!answer) {
      ADD_FAILURE() << answer.error().message;
      abort();
    }
    return std::move(*answer);
  }
  void AddAccount(const std::string& jid) {
    auto accounts = store_->Accounts(&loop());
    ASSERT_EQ(Ask([&] { return accounts->Add(MakeAccount(jid)); }), AccountStore::Put::kDone);
  }
  void RemoveAccount(const std::string& jid) {
    auto accounts = store_->Accounts(&loop());
    ASSERT_EQ(Ask([&] { return accounts->Remove(xmpp::BareJid::FromNormalized(jid)); }),
              AccountStore::Put::kDone);
  }

  runtime::LoopGroup loops_{"test", 1};
  std::string url_;
  std::unique_ptr<Store> store_;
};

inline xmpp::BareJid Bare(const std::string& text) { return xmpp::BareJid::FromNormalized(text); }
inline xmpp::Jid AnyJid(const std::string& text) { return xmpp::Jid::FromNormalized(text); }

// An effect id (18 bytes) for a number; its first 16 are an archive id.
inline std::string Effect(int number, char index = 0) {
  std::string effect(18, '\0');
  const std::string digits = std::to_string(number);
  std::copy(digits.begin(), digits.end(), effect.begin());
  effect[14] = '\xff';  // bytes, not text
  effect[17] = index;
  return effect;
}
inline std::string IdOf(int number) { return Effect(number).substr(0, 16); }

}  // namespace business
