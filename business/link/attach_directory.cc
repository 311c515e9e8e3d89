#include "business/link/attach_directory.h"

#include <utility>

namespace business {

std::shared_ptr<ManagerStream> AttachDirectory::Claim(const ManagerLoop& key,
                                                      std::shared_ptr<ManagerStream> stream) {
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[key];
  entry.up = false;
  return std::exchange(entry.stream, std::move(stream));
}

void AttachDirectory::MarkUp(const ManagerLoop& key, const ManagerStream* stream) {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it != entries_.end() && it->second.stream.get() == stream) it->second.up = true;
}

void AttachDirectory::Release(const ManagerLoop& key, const ManagerStream* stream) {
  std::shared_ptr<ManagerStream> last;  // goes outside the lock
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.stream.get() != stream) return;
  last = std::move(it->second.stream);
  entries_.erase(it);
}

std::vector<LinkServer::ManagerInfo> AttachDirectory::managers() const {
  std::lock_guard lock(mutex_);
  std::vector<LinkServer::ManagerInfo> found;
  for (const auto& [key, entry] : entries_) {
    if (!entry.up) continue;
    if (found.empty() || found.back().instance != key.manager ||
        found.back().incarnation != key.incarnation) {
      found.push_back({key.manager, key.incarnation, 0});
    }
    ++found.back().loops;
  }
  return found;
}

}  // namespace business
