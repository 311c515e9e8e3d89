// Which stream stands for each manager loop, process-wide: a second one replaces the first.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "business/link/manager_links.h"
#include "business/link/route_table.h"

namespace business {

class ManagerStream;

// Any thread; asked when a stream comes or goes, never on the stanza path.
class AttachDirectory {
 public:
  // `stream` stands for `key` from now on. Returns who did so before and must give way first.
  std::shared_ptr<ManagerStream> Claim(const ManagerLoop& key,
                                       std::shared_ptr<ManagerStream> stream);
  void MarkUp(const ManagerLoop& key, const ManagerStream* stream);
  // Unless a newer stream stands there.
  void Release(const ManagerLoop& key, const ManagerStream* stream);
  std::vector<LinkServer::ManagerInfo> managers() const;

 private:
  struct Entry {
    std::shared_ptr<ManagerStream> stream;
    bool up = false;
  };
  mutable std::mutex mutex_;
  std::map<ManagerLoop, Entry> entries_;
};

}  // namespace business
