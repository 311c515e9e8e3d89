// The domains that are served: those of the configuration and those added at run time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "business/store/domain_store.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/task.h"

namespace business {

// Lives on loop 0. Looks into the store every second: what another server's operator changed is
// known here at most so much later. While the store does not answer, what was known stays.
class DomainWatch final : private runtime::Timer {
 public:
  // All domains, normalised, the configured ones first. The first call says what the store held at
  // the start; each later one, that something changed.
  using OnDomains = std::function<void(const std::vector<std::string>& domains)>;

  DomainWatch(runtime::EventLoop* loop, std::unique_ptr<DomainStore> store,
              std::vector<std::string> configured, OnDomains on_domains);
  void Start();
  // Something changed: do not wait for the next second.
  void LookNow();
  const std::vector<std::string>& domains() const { return domains_; }

 private:
  void Look();
  runtime::Task<void> Read();
  void Take(const DomainList& list);

  runtime::EventLoop* const loop_;
  const std::unique_ptr<DomainStore> store_;
  const std::vector<std::string> configured_;
  const OnDomains on_domains_;
  std::vector<std::string> domains_;
  bool known_ = false;
  bool reading_ = false;
  bool again_ = false;  // asked for while it was reading
};

}  // namespace business
