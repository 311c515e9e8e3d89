#include "connmgr/admission.h"

#include <dirent.h>
#include <sys/resource.h>

#include <algorithm>

#include "lib/runtime/event_loop.h"

namespace connmgr {

Admission::Admission(const Settings& settings, uint64_t descriptors)
    : capacity_(settings.connections == 0 ? descriptors
                                          : std::min<uint64_t>(settings.connections, descriptors)),
      capacity_refusal_(settings.connections != 0 && settings.connections <= descriptors
                            ? Refusal::kConnections
                            : Refusal::kDescriptors),
      max_handshakes_(settings.handshakes),
      per_address_(settings.connections_per_address),
      address_rate_(settings.accepts_per_address_per_second),
      rate_(settings.accepts_per_second, runtime::EventLoop::MonotonicMs()) {}

std::optional<Refusal> Admission::MayAccept(uint64_t now_ms, Pace pace) {
  if (pace == Pace::kKept && handshakes() >= max_handshakes_) return Refusal::kHandshakes;
  if (connections_.fetch_add(1, std::memory_order_relaxed) >= capacity_) {
    Leave();
    return capacity_refusal_;
  }
  if (pace == Pace::kIgnored) return std::nullopt;
  std::lock_guard lock(mutex_);
  if (!rate_.TryTake(now_ms)) {
    Leave();
    return Refusal::kRate;
  }
  return std::nullopt;
}

void Admission::Leave() { connections_.fetch_sub(1, std::memory_order_relaxed); }

bool Admission::EnterAddress(const AddressKey& key, uint64_t now_ms) {
  if (!limits_addresses()) return true;
  std::lock_guard lock(mutex_);
  if (addresses_.size() >= sweep_at_) {
    absl::erase_if(addresses_, [&](auto& entry) {
      return entry.second.connections == 0 && entry.second.rate.Full(now_ms);
    });
    sweep_at_ = std::max<size_t>(1024, 2 * addresses_.size());
  }
  AddressEntry& entry =
      addresses_.try_emplace(key, AddressEntry{0, TokenBucket(address_rate_, now_ms)})
          .first->second;
  if (per_address_ != 0 && entry.connections >= per_address_) return false;
  if (!entry.rate.TryTake(now_ms)) return false;
  ++entry.connections;
  return true;
}

void Admission::LeaveAddress(const AddressKey& key) {
  if (!limits_addresses()) return;
  std::lock_guard lock(mutex_);
  auto found = addresses_.find(key);
  if (found == addresses_.end() || found->second.connections == 0) return;
  --found->second.connections;
  if (found->second.connections == 0 && address_rate_ == 0) addresses_.erase(found);
}

uint64_t DescriptorsForClients(uint32_t reserved) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
  }
  uint64_t open = 0;
  if (DIR* dir = opendir("/proc/self/fd"); dir != nullptr) {
    while (readdir(dir) != nullptr) ++open;
    closedir(dir);
  }
  const uint64_t own = open + reserved;
  return limit.rlim_cur > own ? limit.rlim_cur - own : 1;
}

}  // namespace connmgr
