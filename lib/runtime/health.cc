#include <ctime>
#include <map>
#include <mutex>
#include <set>

#include "lib/runtime/admin_server.h"
#include "lib/runtime/json_text.h"

namespace runtime {

struct Health::Impl {
  mutable std::mutex mutex;
  std::set<std::string> steps_left;
  std::map<std::string, std::string> reasons;
};

Health::Health(std::vector<std::string> steps) : impl_(std::make_unique<Impl>()) {
  impl_->steps_left.insert(steps.begin(), steps.end());
}

Health::~Health() = default;

void Health::StepDone(const std::string& step) {
  std::lock_guard lock(impl_->mutex);
  impl_->steps_left.erase(step);
}

bool Health::started() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->steps_left.empty();
}

void Health::SetNotReady(const std::string& reason, const std::string& detail) {
  std::lock_guard lock(impl_->mutex);
  impl_->reasons[reason] = detail;
}

void Health::ClearNotReady(const std::string& reason) {
  std::lock_guard lock(impl_->mutex);
  impl_->reasons.erase(reason);
}

bool Health::ready() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->steps_left.empty() && impl_->reasons.empty();
}

std::string Health::ReadyJson() const {
  std::lock_guard lock(impl_->mutex);
  std::map<std::string, std::string> reasons = impl_->reasons;
  if (!impl_->steps_left.empty()) {
    std::string& left = reasons["starting"];
    for (const std::string& step : impl_->steps_left) left += (left.empty() ? "" : ", ") + step;
  }
  std::string out =
      reasons.empty() ? "{\"ready\":true,\"reasons\":{" : "{\"ready\":false,\"reasons\":{";
  bool first = true;
  for (const auto& [reason, detail] : reasons) {
    if (!first) out += ',';
    first = false;
    out += JsonString(reason) + ":" + JsonString(detail);
  }
  return out + "}}\n";
}

std::string Health::StartupJson() const {
  std::lock_guard lock(impl_->mutex);
  std::string out = impl_->steps_left.empty() ? "{\"started\":true,\"waiting_for\":["
                                              : "{\"started\":false,\"waiting_for\":[";
  bool first = true;
  for (const std::string& step : impl_->steps_left) {
    if (!first) out += ',';
    first = false;
    out += JsonString(step);
  }
  return out + "]}\n";
}

}  // namespace runtime
