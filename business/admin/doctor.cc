#include "business/admin/doctor.h"

#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "business/admin/certificate_expiry.h"
#include "business/admin/manager_methods.h"
#include "business/session/redis_question.h"
#include "business/link/manager_links.h"
#include "business/store/store.h"
#include "lib/cluster/redis_keys.h"
#include "proto/admin.pb.h"

namespace business {

using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;
using xylem::v1::DoctorReport;
using Check = DoctorReport::Check;
using Steady = std::chrono::steady_clock;

namespace {

constexpr auto kSlowPing = std::chrono::milliseconds(20);
constexpr auto kSlowWrite = std::chrono::milliseconds(100);
constexpr auto kClockWarning = std::chrono::seconds(1);   // stamps of messages get out of order
constexpr auto kClockFailure = std::chrono::seconds(10);  // a lease's length
constexpr int64_t kDay = 86400;
constexpr int64_t kExpiryWarning = 14 * kDay;
constexpr size_t kShortToken = 16;

void Add(DoctorReport* report, const std::string& name, Check::State state, std::string text) {
  Check* check = report->add_checks();
  check->set_name(name);
  check->set_state(state);
  check->set_text(std::move(text));
}

std::string Joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

std::string MsText(std::chrono::microseconds time) {
  const int64_t tenths = (time.count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

std::chrono::microseconds Since(Steady::time_point began) {
  return std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - began);
}

// The lines "key:value" of INFO.
class RedisInfo {
 public:
  explicit RedisInfo(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
      size_t end = text.find("\r\n", at);
      if (end == std::string::npos) end = text.size();
      size_t colon = text.find(':', at);
      if (colon < end)
        values_[text.substr(at, colon - at)] = text.substr(colon + 1, end - colon - 1);
      at = end + 2;
    }
  }
  std::string operator[](const std::string& key) const {
    auto found = values_.find(key);
    return found == values_.end() ? std::string() : found->second;
  }
  double Number(const std::string& key) const { return std::strtod((*this)[key].c_str(), nullptr); }

 private:
  std::map<std::string, std::string> values_;
};

void CheckVersion(const RedisInfo& info, DoctorReport* report) {
  const std::string version = info["redis_version"];
  // 6.2: the oldest that the scripts are tested with (commands and their options).
  const bool old = std::strtod(version.c_str(), nullptr) < 6.2;
  Add(report, "redis version", old ? Check::WARNING : Check::OK,
      version + (old ? ", older than 6.2, which Xylem is not tested with" : ""));
}

// Evicted keys are lost sessions; and with an eviction policy nothing says so.
void CheckMemory(const RedisInfo& info, DoctorReport* report) {
  const std::string policy = info["maxmemory_policy"];
  const double limit = info.Number("maxmemory"), used = info.Number("used_memory");
  const std::string text = "maxmemory-policy " + policy + ", " + info["used_memory_human"] +
                           " of " + (limit == 0 ? "no limit" : info["maxmemory_human"]) + " used";
  if (policy != "noeviction") {
    Add(report, "redis memory", limit == 0 ? Check::WARNING : Check::FAILED,
        text + ": set maxmemory-policy to noeviction, else sessions get lost");
  } else if (limit > 0 && used > 0.9 * limit) {
    Add(report, "redis memory", Check::WARNING, text + ": almost full, logins will be refused");
  } else {
    Add(report, "redis memory", Check::OK, text);
  }
}

void CheckPersistence(const RedisInfo& info, DoctorReport* report) {
  const bool aof = info["aof_enabled"] == "1";
  const bool failing =
      info["rdb_last_bgsave_status"] == "err" || (aof && info["aof_last_write_status"] == "err");
  if (info["loading"] == "1") {
    Add(report, "redis persistence", Check::WARNING, "Redis is loading its data");
  } else if (failing) {
    Add(report, "redis persistence", Check::FAILED,
        "the last write to disk failed: Redis may refuse writes until its disk is well");
  } else {
    Add(report, "redis persistence", Check::OK,
        aof ? "append-only file"
            : "no append-only file: after a restart of Redis the managers announce their sessions");
  }
}

}  // namespace

Doctor::Doctor(Dependencies dependencies)
    : d_(std::move(dependencies)), generations_(d_.store->Generations(d_.loop)) {}

Task<AdminAnswer> Doctor::Examine(xylem::v1::Empty) {
  DoctorReport report;
  co_await Redis(&report);
  co_await RedisServers(&report);
  co_await Clock(&report);
  co_await StoreHealth(&report);
  co_await Generation(&report);
  co_await Managers(&report);
  Access(&report);
  Certificates(&report);
  co_return AdminAnswer::Ok(report);
}

Task<void> Doctor::Redis(DoctorReport* report) {
  const auto began = Steady::now();
  RedisClient::Args ping{"PING"};
  Result<RedisReply> pong = co_await Ask(d_.redis, std::move(ping));
  const std::string where = Joined(d_.redis_addresses);
  if (!pong) {
    Add(report, "redis", Check::FAILED, where + ": " + pong.error().message);
    co_return;
  }
  const auto took = Since(began);
  const bool slow = took > kSlowPing;
  Add(report, "redis", slow ? Check::WARNING : Check::OK,
      where + " answers in " + MsText(took) + (slow ? ": stanzas wait for it" : ""));
}

Task<void> Doctor::RedisServers(DoctorReport* report) {
  auto answered = std::make_shared<runtime::OneShot<std::vector<RedisClient::Reply>>>();
  RedisClient::Args info{"INFO"};
  d_.redis->OnEachMaster(std::move(info), [answered](std::vector<RedisClient::Reply> replies) {
    answered->Set(std::move(replies));
  });
  runtime::OneShot<std::vector<RedisClient::Reply>>& waiting = *answered;
  std::vector<RedisClient::Reply> replies = co_await waiting;
  for (RedisClient::Reply& reply : replies) {
    Result<RedisReply> text = Checked(std::move(reply));
    if (!text) {
      Add(report, "redis server", Check::FAILED, "a master: " + text.error().message);
      continue;
    }
    const RedisInfo lines(text->text);
    CheckVersion(lines, report);
    CheckMemory(lines, report);
    CheckPersistence(lines, report);
  }
}

Task<void> Doctor::Clock(DoctorReport* report) {
  using std::chrono::microseconds;
  const auto began = Steady::now();
  RedisClient::Args time{"TIME"};
  Result<RedisReply> reply = co_await Ask(d_.redis, std::move(time));
  if (!reply || reply->array.size() != 2) {
    Add(report, "clock", Check::FAILED, "the clock of Redis cannot be read");
    co_return;
  }
  const auto ours = std::chrono::duration_cast<microseconds>(
                        std::chrono::system_clock::now().time_since_epoch()) -
                    Since(began) / 2;
  const microseconds theirs(std::strtoll(reply->array[0].text.c_str(), nullptr, 10) * 1'000'000 +
                            std::strtoll(reply->array[1].text.c_str(), nullptr, 10));
  const microseconds apart = ours > theirs ? ours - theirs : theirs - ours;
  const Check::State state = apart > kClockFailure   ? Check::FAILED
                             : apart > kClockWarning ? Check::WARNING
                                                     : Check::OK;
  Add(report, "clock", state,
      MsText(apart) + (ours > theirs ? " ahead of" : " behind") + " the clock of Redis" +
          (state == Check::OK ? "" : ": let both hosts follow NTP"));
}

Task<void> Doctor::StoreHealth(DoctorReport* report) {
  if (const std::optional<std::string> trouble = d_.store->Trouble(); trouble.has_value()) {
    Add(report, "store", Check::FAILED, "it is not reached: " + *trouble);
    co_return;
  }
  Result<Store::Report> found = co_await d_.store->Check(d_.loop);
  if (!found) {
    Add(report, "store", Check::FAILED, found.error().message);
    co_return;
  }
  const bool slow = found->write > kSlowWrite;
  Add(report, "store", slow ? Check::WARNING : Check::OK,
      found->engine + ", schema " + std::to_string(found->schema) + ", a write is on disk in " +
          MsText(found->write) + (slow ? ": a slow disk" : ""));
  if (found->faults.empty()) Add(report, "store integrity", Check::OK, "ok");
  for (const std::string& fault : found->faults) {
    Add(report, "store integrity", Check::FAILED, fault);
  }
}

// R11: the marker on each master names the generation that SQL holds.
Task<void> Doctor::Generation(DoctorReport* report) {
  Result<cluster::GenerationStore::State> known = co_await generations_->Read();
  if (!known) {
    Add(report, "redis generation", Check::FAILED, known.error().message);
    co_return;
  }
  std::vector<RedisClient::Args> markers;
  for (const std::string& tag : d_.redis->MasterTags()) {
    markers.push_back({"GET", cluster::GenerationKey(tag)});
  }
  Result<std::vector<RedisReply>> values = co_await AskAll(d_.redis, std::move(markers));
  if (!values) {
    Add(report, "redis generation", Check::FAILED, values.error().message);
    co_return;
  }
  const std::string number = std::to_string(known->generation);
  for (const RedisReply& value : *values) {
    if (value.text.substr(0, value.text.find(' ')) == number) continue;
    // Seconds after a loss of Redis this is normal.
    Add(report, "redis generation", Check::WARNING,
        "the store says " + number + ", Redis says " +
            (value.IsNil() ? "nothing" : "'" + value.text + "'") +
            ": Redis was emptied or replaced a moment ago; look again");
    co_return;
  }
  Add(report, "redis generation", Check::OK, number);
}

Task<void> Doctor::Managers(DoctorReport* report) {
  Result<ManagerStates> states = co_await d_.managers->States();
  if (!states) {
    Add(report, "managers", Check::FAILED, states.error().message);
    co_return;
  }
  std::vector<std::string> well, unlinked, unleased, gone;
  for (const auto& [manager, state] : *states) {
    const std::string name = manager.first + (state.draining ? " (draining)" : "");
    if (state.loops > 0 && state.lease) well.push_back(name);
    if (state.loops == 0 && state.lease) unlinked.push_back(name);
    if (state.loops > 0 && !state.lease) unleased.push_back(name);
    if (state.loops == 0 && !state.lease) gone.push_back(name);
  }
  if (!unlinked.empty()) {
    Add(report, "managers", Check::FAILED,
        Joined(unlinked) + ": alive, but without a link to this business server");
  }
  if (!unleased.empty()) {
    Add(report, "managers", Check::WARNING,
        Joined(unleased) + ": linked, but without a lease: does it reach Redis?");
  }
  if (!gone.empty()) {
    Add(report, "managers", Check::WARNING,
        Joined(gone) + ": gone, its sessions are about to be reaped");
  }
  if (!well.empty()) {
    Add(report, "managers", Check::OK, Joined(well) + " linked");
  } else if (unlinked.empty() && unleased.empty()) {
    Add(report, "managers", Check::FAILED, "no connection manager is linked: nobody can log in");
  }
}

void Doctor::Access(DoctorReport* report) const {
  if (LinkServer* server = d_.link_server()) {
    Add(report, "rpc port", Check::OK,
        "managers and xylemctl are served on port " + std::to_string(server->port()));
  }
  const bool brief = d_.token_bytes < kShortToken;
  Add(report, "admin token", brief ? Check::WARNING : Check::OK,
      std::to_string(d_.token_bytes) + " bytes" + (brief ? ": take 16 random ones or more" : ""));
}

void Doctor::Certificates(DoctorReport* report) const {
  if (d_.certificate_files.empty()) {
    Add(report, "certificates", Check::OK, "none: plaintext between the tiers, on loopback only");
  }
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  for (const std::string& file : d_.certificate_files) {
    const Result<int64_t> end = CertificateExpiry(file);
    if (!end) {
      Add(report, "certificates", Check::FAILED, end.error().message);
      continue;
    }
    const int64_t left = *end - now;
    const Check::State state = left <= 0               ? Check::FAILED
                               : left < kExpiryWarning ? Check::WARNING
                                                       : Check::OK;
    Add(report, "certificates", state,
        file + (left <= 0 ? " has expired"
                          : " is good for " + std::to_string(left / kDay) + " more days"));
  }
}

}  // namespace business
