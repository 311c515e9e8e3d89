// `xylemctl doctor`: what an operator would look at first, looked at.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "business/admin/admin_answer.h"
#include "lib/cluster/generation.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/task.h"

namespace xylem::v1 {
class DoctorReport;
class Empty;
}  // namespace xylem::v1

namespace business {

class LinkServer;
class ManagerMethods;
class Store;

// Lives on loop 0. Each examination adds its checks to the report, in the order of the list in
// Examine; one that cannot be made is a check that failed, never a call that failed.
class Doctor {
 public:
  struct Dependencies {
    runtime::EventLoop* loop = nullptr;
    Store* store = nullptr;
    runtime::RedisClient* redis = nullptr;
    ManagerMethods* managers = nullptr;
    std::function<LinkServer*()> link_server;
    std::vector<std::string> redis_addresses;
    std::vector<std::string> certificate_files;
    size_t token_bytes = 0;
  };
  explicit Doctor(Dependencies dependencies);

  runtime::Task<AdminAnswer> Examine(xylem::v1::Empty request);

 private:
  runtime::Task<void> Redis(xylem::v1::DoctorReport* report);
  runtime::Task<void> RedisServers(xylem::v1::DoctorReport* report);
  runtime::Task<void> Clock(xylem::v1::DoctorReport* report);
  runtime::Task<void> StoreHealth(xylem::v1::DoctorReport* report);
  runtime::Task<void> Generation(xylem::v1::DoctorReport* report);
  runtime::Task<void> Managers(xylem::v1::DoctorReport* report);
  void Access(xylem::v1::DoctorReport* report) const;
  void Certificates(xylem::v1::DoctorReport* report) const;

  const Dependencies d_;
  const std::unique_ptr<cluster::GenerationStore> generations_;
};

}  // namespace business
