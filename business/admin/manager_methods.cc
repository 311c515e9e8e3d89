#include "business/admin/manager_methods.h"

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "business/session/redis_question.h"
#include "business/link/manager_links.h"
#include "lib/cluster/redis_keys.h"
#include "lib/runtime/log.h"
#include "proto/admin.pb.h"

namespace business {

using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;

namespace {

std::string NowMsText() {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count());
}

}  // namespace

void ManagerMethods::AddLinked(ManagerStates* states) const {
  LinkServer* server = link_server_();
  if (server == nullptr) return;
  for (const LinkServer::ManagerInfo& info : server->managers()) {
    (*states)[{info.instance, info.incarnation}].loops = info.loops;
  }
}

Task<Result<ManagerStates>> ManagerMethods::States() {
  std::vector<RedisClient::Args> lists;
  lists.push_back({"HKEYS", cluster::ManagersKey()});
  lists.push_back({"HKEYS", cluster::DrainingKey()});
  Result<std::vector<RedisReply>> listed = co_await AskAll(redis_, std::move(lists));
  if (!listed) co_return listed.error();

  ManagerStates states;
  std::vector<RedisClient::Args> leases;
  for (const RedisReply& field : (*listed)[0].array) {
    auto manager = cluster::ParseManagerField(field.text);
    if (!manager.has_value()) continue;
    states[*manager] = {};
  }
  AddLinked(&states);  // one that is linked may have bound nobody yet, and then is in no list
  for (const auto& [manager, state] : states) {
    leases.push_back({"EXISTS", cluster::ManagerLeaseKey(manager.first, manager.second)});
  }
  for (const RedisReply& field : (*listed)[1].array) {
    auto manager = cluster::ParseManagerField(field.text);
    if (!manager.has_value()) continue;
    auto known = states.find(*manager);
    if (known != states.end()) known->second.draining = true;
  }
  Result<std::vector<RedisReply>> held = co_await AskAll(redis_, std::move(leases));
  if (!held) co_return held.error();
  // Nothing is added to or taken from `states` in between: the replies are in its order.
  size_t i = 0;
  for (auto& [manager, state] : states) state.lease = (*held)[i++].integer == 1;
  co_return states;
}

Task<void> ManagerMethods::CountSessions(ManagerStates* states) {
  struct Counting {
    std::vector<std::pair<std::string, uint64_t>> managers;
    std::vector<uint64_t> sums;  // touched on loop 0 only
    int open = 0;
    runtime::OneShot<bool> done;
  };
  if (!sessions_of_) co_return;
  auto counting = std::make_shared<Counting>();
  for (const auto& [manager, state] : *states) counting->managers.push_back(manager);
  counting->sums.resize(counting->managers.size());
  counting->open = loops_->size();
  for (int loop = 0; loop < loops_->size(); ++loop) {
    loops_->at(loop).Post([this, loop, counting] {
      std::vector<uint64_t> counts;
      for (const auto& [instance, incarnation] : counting->managers) {
        counts.push_back(sessions_of_(loop, instance, incarnation));
      }
      loops_->at(0).Post([counting, counts = std::move(counts)] {
        for (size_t i = 0; i < counts.size(); ++i) counting->sums[i] += counts[i];
        if (--counting->open == 0) counting->done.Set(true);
      });
    });
  }
  co_await counting->done;
  for (size_t i = 0; i < counting->managers.size(); ++i) {
    (*states)[counting->managers[i]].sessions = counting->sums[i];
  }
}

Task<AdminAnswer> ManagerMethods::List(xylem::v1::Empty) {
  Result<ManagerStates> states = co_await States();
  if (!states) co_return AdminAnswer::Trouble("reading the managers", states.error());
  co_await CountSessions(&*states);
  xylem::v1::ManagerList list;
  for (const auto& [manager, state] : *states) {
    xylem::v1::Manager* out = list.add_managers();
    out->set_instance(manager.first);
    out->set_incarnation(manager.second);
    out->set_loops_attached(state.loops);
    out->set_sessions(state.sessions);
    out->set_draining(state.draining);
    out->set_lease(state.lease);
  }
  co_return AdminAnswer::Ok(list);
}

// Fields of runs that are over are dropped on the way.
Task<Result<void>> ManagerMethods::RememberDrain(ManagerStates states, std::string instance,
                                                 bool undrain) {
  RedisClient::Args add{"HSET", cluster::DrainingKey()};
  RedisClient::Args drop{"HDEL", cluster::DrainingKey()};
  for (const auto& [manager, state] : states) {
    if (manager.first != instance || state.loops == 0) continue;
    const std::string field = cluster::ManagerField(manager.first, manager.second);
    if (undrain) {
      drop.push_back(field);
    } else {
      add.insert(add.end(), {field, NowMsText()});
    }
  }
  RedisClient::Args read{"HKEYS", cluster::DrainingKey()};
  Result<RedisReply> fields = co_await Ask(redis_, std::move(read));
  if (!fields) co_return fields.error();
  for (const RedisReply& field : fields->array) {
    auto manager = cluster::ParseManagerField(field.text);
    if (!manager.has_value() || !states.contains(*manager)) drop.push_back(field.text);
  }
  std::vector<RedisClient::Args> changes;
  if (add.size() > 2) changes.push_back(std::move(add));
  if (drop.size() > 2) changes.push_back(std::move(drop));
  Result<std::vector<RedisReply>> changed = co_await AskAll(redis_, std::move(changes));
  if (!changed) co_return changed.error();
  co_return Result<void>();
}

Task<AdminAnswer> ManagerMethods::Drain(xylem::v1::DrainManagerRequest request) {
  Result<ManagerStates> states = co_await States();
  if (!states) co_return AdminAnswer::Trouble("reading the managers", states.error());
  bool known = false, linked = false;
  for (const auto& [manager, state] : *states) {
    if (manager.first != request.instance()) continue;
    known = true;
    linked = linked || state.loops > 0;
  }
  if (!known) {
    co_return AdminAnswer::NotFound("there is no connection manager '" + request.instance() + "'");
  }
  if (!linked) {
    co_return AdminAnswer::Unavailable("this business server has no link to " + request.instance() +
                                       ": ask another one");
  }
  Result<void> remembered = co_await RememberDrain(*states, request.instance(), request.undrain());
  if (!remembered) co_return AdminAnswer::Trouble("remembering the order", remembered.error());
  link_server_()->DrainManager(request.instance(), request.undrain());
  runtime::LogInfo(request.undrain() ? "manager_undrain" : "manager_drain",
                   "an operator ordered it", {{"manager", request.instance()}});
  AdminAnswer answer = co_await List(xylem::v1::Empty());
  co_return answer;
}

}  // namespace business
