// Domains that were added while the cluster runs (`xylemctl domain add`); those of the
// configuration are not here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace business {

struct Domain {
  std::string name;      // normalised domainpart
  int64_t added = 0;     // seconds since the epoch; 0 in Add: now
  std::string settings;  // the caller's, opaque
};

struct DomainList {
  // Raised by each change: whoever has it needs to read nothing else.
  int64_t generation = 0;
  std::vector<Domain> domains;  // by name
};

// One per loop, as AccountStore; errors and unknown outcomes as there.
class DomainStore {
 public:
  virtual ~DomainStore() = default;
  virtual runtime::Task<runtime::Result<DomainList>> List() = 0;
  enum class Put { kDone, kExists, kMissing };
  virtual runtime::Task<runtime::Result<Put>> Add(Domain domain) = 0;
  virtual runtime::Task<runtime::Result<Put>> SetSettings(std::string name,
                                                          std::string settings) = 0;
  // Only the name: its accounts stay and cannot log in.
  virtual runtime::Task<runtime::Result<Put>> Remove(std::string name) = 0;
};

}  // namespace business
