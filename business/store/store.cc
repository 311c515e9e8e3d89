#include "business/store/store.h"

#include "business/store/sqlite_store.h"

namespace business {

using runtime::Error;

runtime::Result<std::unique_ptr<Store>> Store::Open(const Options& options) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (options.url.starts_with(kSqlite)) {
    std::string path = options.url.substr(kSqlite.size());
    if (path.starts_with("//")) path.erase(0, 2);
    if (path.empty())
      return Error::Failed("store.url: sqlite: needs a path, as in sqlite:xylem.db");
    return SqliteStore::Open({.path = std::move(path),
                              .commit_delay = options.commit_delay,
                              .commit_batch = options.commit_batch,
                              .queue = options.queue});
  }
  if (options.url.starts_with("postgresql:") || options.url.starts_with("postgres:")) {
    return Error::Failed(
        "store.url: PostgreSQL is not part of this release, it comes with the next one; use "
        "sqlite:PATH on one host");
  }
  return Error::Failed("store.url: expected sqlite:PATH");
}

}  // namespace business
