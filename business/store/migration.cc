#include "business/store/migration.h"

#include <string>

#include "lib/runtime/log.h"

namespace business {

runtime::Result<bool> IsBehind(int64_t version, const std::vector<Migration>& steps) {
  const int newest = steps.back().version;
  if (version > newest + 1) {
    return runtime::Error::Failed("the store has schema version " + std::to_string(version) +
                                  ", this release knows up to " + std::to_string(newest) +
                                  " and runs on one more: start the release that wrote it");
  }
  if (version > newest) {
    runtime::LogWarn("store_ahead", "the store was made by the next release; running on it",
                     {{"schema", version}, {"known", newest}});
  }
  return version < newest;
}

}  // namespace business
