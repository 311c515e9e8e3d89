#include "business/store/store.h"

#include <utility>

#include "business/store/postgres_store.h"
#include "business/store/sqlite_store.h"
#include "business/store/store_url.h"

namespace business {

runtime::Result<std::unique_ptr<Store>> Store::Open(const Options& options) {
  runtime::Result<StoreUrl> url = ReadStoreUrl(options.url);
  if (!url) return url.error();
  if (url->postgres) {
    return PostgresStore::Open({.url = options.url,
                                .password = options.password,
                                .commit_delay = options.commit_delay,
                                .commit_batch = options.commit_batch,
                                .queue = options.queue,
                                .readers = options.readers});
  }
  return SqliteStore::Open({.path = std::move(url->path),
                            .commit_delay = options.commit_delay,
                            .commit_batch = options.commit_batch,
                            .queue = options.queue});
}

}  // namespace business
