// The store that a bench is given by URL, and the loop it is asked on.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "business/store/store.h"

namespace business {

// Ends the program with a sentence if the store cannot be had. Typed stores go before it.
class BenchStore {
 public:
  explicit BenchStore(const char* url) {
    const char* password = getenv("PGPASSWORD");
    auto opened = Store::Open({.url = url, .password = password == nullptr ? "" : password});
    if (!opened) {
      std::fprintf(stderr, "%s\n", opened.error().message.c_str());
      std::exit(1);
    }
    store_ = std::move(*opened);
  }
  ~BenchStore() {
    store_.reset();
    loops_.StopAndJoin();
  }
  Store* operator->() { return store_.get(); }
  runtime::EventLoop& loop() { return loops_.at(0); }

 private:
  runtime::LoopGroup loops_{"bench", 1};
  std::unique_ptr<Store> store_;
};

}  // namespace business
