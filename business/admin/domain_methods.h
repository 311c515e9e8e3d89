// Domains added at run time, as an operator manages them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "business/admin/admin_answer.h"
#include "business/store/domain_store.h"
#include "lib/runtime/task.h"

namespace xylem::v1 {
class DomainRequest;
class Empty;
}  // namespace xylem::v1

namespace business {

// Lives on loop 0. Those of the configuration are listed, and changed there only.
class DomainMethods {
 public:
  // `changed` is called after each change, so that this server need not wait to see it.
  DomainMethods(std::unique_ptr<DomainStore> store, std::vector<std::string> configured,
                std::function<void()> changed)
      : store_(std::move(store)),
        configured_(std::move(configured)),
        changed_(std::move(changed)) {}

  runtime::Task<AdminAnswer> List(xylem::v1::Empty request);
  runtime::Task<AdminAnswer> Add(xylem::v1::DomainRequest request);
  // The name only: accounts stay, their sessions end (host-gone), and nobody logs in.
  runtime::Task<AdminAnswer> Delete(xylem::v1::DomainRequest request);

 private:
  bool Configured(const std::string& name) const;
  runtime::Task<AdminAnswer> Changed(const char* event, std::string name);

  const std::unique_ptr<DomainStore> store_;
  const std::vector<std::string> configured_;  // normalised
  const std::function<void()> changed_;
};

}  // namespace business
