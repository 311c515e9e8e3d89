// The domains that clients may open streams to.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace connmgr {

// Lives on its loop. Those of the configuration, and those that business servers tell of.
class ServedDomains {
 public:
  // Normalised; at least one.
  explicit ServedDomains(const std::vector<std::string>& configured) : configured_(configured) {
    SetTold({});
  }
  void SetTold(const std::vector<std::string>& told) {
    all_.clear();
    all_.insert(configured_.begin(), configured_.end());
    all_.insert(told.begin(), told.end());
  }
  bool Serves(std::string_view normalized) const { return all_.contains(normalized); }
  // Offered to clients that name none.
  const std::string& first() const { return configured_.front(); }

 private:
  const std::vector<std::string> configured_;
  std::set<std::string, std::less<>> all_;
};

}  // namespace connmgr
