#include "business/domain_watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "lib/runtime/log.h"

namespace business {
namespace {

constexpr std::chrono::milliseconds kLook{1000};

}  // namespace

DomainWatch::DomainWatch(runtime::EventLoop* loop, std::unique_ptr<DomainStore> store,
                         std::vector<std::string> configured, OnDomains on_domains)
    : runtime::Timer([](runtime::Timer* timer) { static_cast<DomainWatch*>(timer)->Look(); }),
      loop_(loop),
      store_(std::move(store)),
      configured_(std::move(configured)),
      on_domains_(std::move(on_domains)),
      domains_(configured_) {}

void DomainWatch::Start() {
  loop_->AssertInLoop();
  Look();
}

void DomainWatch::LookNow() {
  loop_->AssertInLoop();
  again_ = reading_;
  if (!reading_) Look();
}

void DomainWatch::Look() {
  loop_->Arm(this, kLook);
  if (!std::exchange(reading_, true)) runtime::Spawn(Read());
}

runtime::Task<void> DomainWatch::Read() {
  const runtime::Result<DomainList> list = co_await store_->List();
  reading_ = false;
  if (list) Take(*list);
  if (std::exchange(again_, false)) Look();
}

void DomainWatch::Take(const DomainList& list) {
  std::vector<std::string> domains = configured_;
  for (const Domain& added : list.domains) {
    if (std::find(domains.begin(), domains.end(), added.name) == domains.end()) {
      domains.push_back(added.name);
    }
  }
  if (std::exchange(known_, true) && domains == domains_) return;
  domains_ = std::move(domains);
  runtime::LogInfo("domains", "the served domains are known",
                   {{"count", domains_.size()}, {"generation", list.generation}});
  on_domains_(domains_);
}

}  // namespace business
