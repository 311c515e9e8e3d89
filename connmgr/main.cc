// A connection manager: wires what the other files are.
#include <cstdio>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connmgr/admission.h"
#include "connmgr/certificates.h"
#include "connmgr/connmgr_loop.h"
#include "connmgr/drain.h"
#include "connmgr/isolation_watch.h"
#include "connmgr/manager_metrics.h"
#include "connmgr/readiness_watch.h"
#include "connmgr/settings.h"
#include "lib/cluster/lease.h"
#include "lib/runtime/admin_server.h"
#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"
#include "lib/runtime/process.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/rpc.h"
#include "proto/config/connmgr.pb.h"

namespace connmgr {
namespace {

constexpr std::chrono::milliseconds kLease{10000};
constexpr std::chrono::seconds kLastWord{2};  // for Redis to take the lease back

runtime::RedisOptions ReadRedis(const xylem::config::Redis& config) {
  runtime::RedisOptions options;
  options.addresses.assign(config.addresses().begin(), config.addresses().end());
  options.cluster = config.cluster();
  options.username = config.username();
  options.password = config.password();
  options.command_deadline = std::chrono::milliseconds(config.command_deadline());
  return options;
}

BusinessLinks::Options ReadLinks(const xylem::config::Connmgr& config, const Settings& settings,
                                 const std::string& instance, uint64_t incarnation) {
  BusinessLinks::Options options;
  options.instance = instance;
  options.incarnation = incarnation;
  options.addresses.assign(config.business().addresses().begin(),
                           config.business().addresses().end());
  options.resolve = std::chrono::milliseconds(config.business().resolve());
  options.limits = {settings.window_stanzas, settings.window_bytes};
  options.credentials = {config.rpc().certificate_file(), config.rpc().key_file(),
                         config.rpc().ca_file()};
  return options;
}

class Manager {
 public:
  Manager(const xylem::config::Connmgr& config, std::string id, const Settings& settings,
          std::unique_ptr<Certificates> certificates)
      : config_(config),
        id_(std::move(id)),
        incarnation_(runtime::NewIncarnation()),
        settings_(settings),
        certificates_(std::move(certificates)),
        admission_(settings_, DescriptorsForClients(settings_.reserved_descriptors)),
        group_("connmgr", settings_.loops) {}

  // false: an address cannot be had; the log says which.
  bool Start() {
    MakeLoops();
    health_.StepDone("config");
    health_.StepDone("certificates");
    group_.RunOn(0, [this] {
      redis_ = runtime::RedisClient::Create(&group_.at(0), ReadRedis(config_.redis()));
      lease_ = std::make_unique<cluster::ManagerLease>(&group_.at(0), redis_.get(), id_,
                                                       incarnation_, kLease);
      lease_->Start();
      readiness_ = std::make_unique<ReadinessWatch>(pointers_, admission_, *certificates_, *redis_,
                                                    health_);
      readiness_->Start();
      isolation_ = std::make_unique<IsolationWatch>(pointers_, settings_, *redis_, *drain_);
      isolation_->Start();
    });
    AddMetrics();
    return StartAdmin();
  }

  // Serves until SIGTERM; the process's exit code.
  int Serve() {
    bool failed = false, open = false;
    runtime::WaitForTermination([this] { Reload(); },
                                [&] {
                                  if (open || !health_.started()) return false;
                                  open = true;
                                  failed = !OpenListeners();
                                  return failed;
                                });
    if (failed) return 1;
    runtime::LogInfo("stopping", "SIGTERM: the manager drains.");
    drain_->Terminate([this] { gone_.set_value(); });
    gone_.get_future().wait();
    return 0;
  }

  void Stop() {
    std::promise<void> released;
    std::future<void> answer = released.get_future();
    group_.RunOn(0, [&] { lease_->Release([&] { released.set_value(); }); });
    answer.wait_for(kLastWord);
    group_.RunOn(0, [this] {
      admin_.reset();
      isolation_.reset();
      readiness_.reset();
      lease_.reset();
      redis_.reset();  // whatever it has not answered is dropped
    });
    for (int i = 0; i < group_.size(); ++i) {
      group_.RunOn(i, [&] { loops_[static_cast<size_t>(i)].reset(); });
    }
    group_.StopAndJoin();
  }

 private:
  void MakeLoops() {
    loops_.resize(static_cast<size_t>(group_.size()));
    const auto options = ReadLinks(config_, settings_, id_, incarnation_);
    for (int i = 0; i < group_.size(); ++i) {
      runtime::EventLoop& loop = group_.at(i);
      auto& made = loops_[static_cast<size_t>(i)];
      group_.RunOn(i, [&] {
        made = std::make_unique<ConnmgrLoop>(loop, settings_, admission_, *certificates_,
                                             BusinessLinks::Create(&loop, options));
      });
      pointers_.push_back(made.get());
    }
    drain_ = std::make_unique<Drain>(pointers_, settings_, health_);
    for (int i = 0; i < group_.size(); ++i) {
      ConnmgrLoop& loop = *loops_[static_cast<size_t>(i)];
      group_.RunOn(i, [&] {
        loop.links().OnDrainOrder(
            [this](bool undrain) { undrain ? drain_->Undo() : drain_->Begin(); });
        loop.Start();
      });
    }
  }

  void AddMetrics() {
    runtime::AddProcessMetrics("connmgr");
    runtime::AddLoopMetrics("connmgr", &group_);
    AddManagerMetrics({.loops = pointers_,
                       .admission = &admission_,
                       .certificates = certificates_.get(),
                       .drain = drain_.get(),
                       .health = &health_,
                       .redis = redis_.get()});
  }

  bool StartAdmin() {
    runtime::AdminServer::Options options;
    options.http_address = config_.admin().http();
    options.agent_address = config_.admin().agent();
    options.token = config_.admin().token();
    admin_ = runtime::AdminServer::Start(&group_.at(0), options, &health_, {&group_});
    if (admin_ == nullptr) return false;
    const auto counts = [this](const runtime::HttpRequest&) {
      return runtime::HttpResponse{.body = drain_->Json()};
    };
    admin_->Handle("GET", "/drain", counts);
    admin_->Handle("POST", "/drain", [this, counts](const runtime::HttpRequest& request) {
      drain_->Begin();
      return counts(request);
    });
    admin_->Handle("POST", "/undrain", [this, counts](const runtime::HttpRequest& request) {
      drain_->Undo();
      return counts(request);
    });
    // HAProxy leaves a drain that its agent ordered only at the word `ready`.
    admin_->SetAgentReply(
        [this] { return std::string(health_.ready() ? "ready up 100%\n" : "drain\n"); });
    return true;
  }

  bool OpenListeners() {
    auto listeners = settings_.listeners;
    bool good = true;
    for (int i = 0; i < group_.size() && good; ++i) {
      group_.RunOn(i, [&] { good = pointers_[static_cast<size_t>(i)]->OpenListeners(listeners); });
    }
    if (!good) return false;
    for (const ListenerSettings& listener : listeners) {
      runtime::LogInfo("listening", "Clients are accepted.",
                       {{"address", listener.address.ToString()},
                        {"direct_tls", listener.direct_tls ? 1 : 0},
                        {"proxy", listener.proxy ? 1 : 0}});
    }
    group_.RunOn(0, [&] { drain_->SetListeners(std::move(listeners)); });
    return true;
  }

  void Reload() {
    group_.at(0).Post([this] { certificates_->Reload(); });
  }

  const xylem::config::Connmgr& config_;
  const std::string id_;
  const uint64_t incarnation_;
  const Settings& settings_;
  const std::unique_ptr<Certificates> certificates_;
  Admission admission_;
  runtime::Health health_{{"config", "certificates", "redis", "business"}};
  runtime::LoopGroup group_;
  std::vector<std::unique_ptr<ConnmgrLoop>> loops_;
  std::vector<ConnmgrLoop*> pointers_;
  std::unique_ptr<Drain> drain_;
  std::promise<void> gone_;
  // On the first loop.
  std::unique_ptr<runtime::RedisClient> redis_;
  std::unique_ptr<cluster::ManagerLease> lease_;
  std::unique_ptr<ReadinessWatch> readiness_;
  std::unique_ptr<IsolationWatch> isolation_;
  std::unique_ptr<runtime::AdminServer> admin_;
};

int Run(int argc, char** argv) {
  xylem::config::Connmgr config;
  const runtime::CommandLine line = runtime::ParseCommandLine(argc, argv, "connmgr", &config);
  runtime::BlockSignals();
  Settings settings;
  const auto errors = Settings::Read(config, &settings);
  for (const std::string& error : errors) std::fprintf(stderr, "%s\n", error.c_str());
  if (!errors.empty()) return 2;
  if (line.check_config) {
    auto certificates = Certificates::Load(settings);
    if (certificates) return 0;
    std::fprintf(stderr, "%s\n", certificates.error().message.c_str());
    return 2;
  }
  runtime::PrepareRpc(settings.loops);
  runtime::StartLog(line.log);
  auto certificates = Certificates::Load(settings);
  if (!certificates) {
    runtime::LogError("certificates_refused", "The certificates cannot be used.",
                      {{"err", certificates.error().message}});
    runtime::FlushLog();
    return 2;
  }
  Manager manager(config, line.id, settings, std::move(*certificates));
  int code = 1;
  if (manager.Start()) code = manager.Serve();
  manager.Stop();
  runtime::LogInfo("stopped", "The manager has left.", {{"exit_code", code}});
  runtime::FlushLog();
  return code;
}

}  // namespace
}  // namespace connmgr

int main(int argc, char** argv) { return connmgr::Run(argc, argv); }
