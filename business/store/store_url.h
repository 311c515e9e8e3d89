// Which engine a store's URL names.
#pragma once

#include <string>

#include "lib/runtime/result.h"

namespace business {

struct StoreUrl {
  bool postgres = false;
  std::string path;  // SQLite's file
};

// The error is a sentence for people, with its key (`store.url`).
runtime::Result<StoreUrl> ReadStoreUrl(const std::string& url);

}  // namespace business
