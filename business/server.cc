#include "business/server.h"

#include <future>
#include <thread>
#include <utility>

#include "business/link/link_metrics.h"
#include "business/redis_metrics.h"
#include "lib/runtime/log.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

constexpr std::chrono::milliseconds kLook{20};
constexpr std::chrono::seconds kStoreWord{30};  // for its first answer
constexpr std::chrono::seconds kLastWord{1};  // for Redis to take the lease back

// What doctor looks at; none where the tiers talk in plaintext.
std::vector<std::string> CertificateFiles(const Settings& settings) {
  const runtime::RpcCredentials& rpc = settings.rpc.credentials;
  if (rpc.empty()) return {};
  return {rpc.certificate, rpc.ca};
}

}  // namespace

Server::Server(const Settings& settings, std::string id)
    : settings_(settings),
      id_(std::move(id)),
      incarnation_(runtime::NewIncarnation()),
      sealer_({settings.secret}),
      loops_("business", settings.loops),
      admin_loop_("admin", 1) {}

Server::~Server() {
  admin_loop_.StopAndJoin();
  loops_.StopAndJoin();
}

bool Server::Start() {
  health_.StepDone("config");
  auto store = Store::Open(settings_.store);
  if (!store) {
    runtime::LogError("store_refused", store.error().message, {{"url", settings_.store.url}});
    return false;
  }
  store_ = std::move(*store);
  health_.StepDone("store");
  workers_ = std::make_unique<PasswordWorkers>(settings_.hash_threads, settings_.hash_queue);
  MakeLoops();
  for (const std::string& mistake : at(0).features().Check()) {
    runtime::LogError("features_refused", mistake);
  }
  if (!at(0).features().Check().empty()) return false;
  StartWatches();
  if (!AwaitDomains()) return false;
  if (!Listen()) return false;
  health_.StepDone("rpc");
  return StartAdmin();
}

void Server::MakeLoops() {
  const BusinessLoop::Shared shared{
      .settings = &settings_,
      .store = store_.get(),
      .workers = workers_.get(),
      .sealer = &sealer_,
      .metrics = &metrics_,
      .on_link = [this](const ManagerLink& link, bool up) { OnLink(link, up); }};
  business_.resize(static_cast<size_t>(loops_.size()));
  for (int i = 0; i < loops_.size(); ++i) {
    auto& made = business_[static_cast<size_t>(i)];
    loops_.RunOn(i, [&, i] { made = std::make_unique<BusinessLoop>(&loops_.at(i), shared); });
  }
}

// What knows the cluster: started before the first manager comes, so that it hears of each.
void Server::StartWatches() {
  loops_.RunOn(0, [this] {
    runtime::EventLoop* loop = &loops_.at(0);
    BusinessLoop& first = at(0);
    reaper_ = std::make_unique<cluster::Reaper>(
        loop, &first.redis(), &first.registry(), id_,
        cluster::Reaper::Options{.interval = settings_.reap_interval, .lease = settings_.lease},
        [&first](const xmpp::BareJid& account, const cluster::SessionRecord& row) {
          // Whom it showed directed presence died with its manager's ticket.
          first.presence().OnSessionEnded(account, row, {});
        });
    reaper_->Start();
    generation_store_ = store_->Generations(loop);
    keeper_ = std::make_unique<cluster::GenerationKeeper>(
        loop, &first.redis(), generation_store_.get(),
        [this](uint64_t generation) { OnGeneration(generation); });
    keeper_->Start();
    readiness_ = std::make_unique<ReadinessWatch>(loop, &first.redis(), &first.account_store(),
                                                  &health_);
    readiness_->Start();
    archive_sweeper_ = std::make_unique<ArchiveSweeper>(
        loop, store_->Archives(loop),
        ArchiveSweeper::Options{.retention = settings_.history.retention});
    domain_watch_ = std::make_unique<DomainWatch>(
        loop, store_->Domains(loop), settings_.domains,
        [this](const std::vector<std::string>& domains) { OnDomains(domains); });
    domain_watch_->Start();
  });
}

// A manager that heard of fewer than there are would end the sessions of the others.
bool Server::AwaitDomains() {
  if (domains_known_.get_future().wait_for(kStoreWord) == std::future_status::ready) return true;
  runtime::LogError("domains_unknown", "the store does not say which domains are served");
  return false;
}

bool Server::Listen() {
  admin_service_ = std::make_unique<AdminService>(
      AdminService::Dependencies{
          .loops = &loops_,
          .store = store_.get(),
          .accounts = &at(0).account_admin(),
          .registry = &at(0).registry(),
          .redis = &at(0).redis(),
          .events = &at(0).presence(),
          .shard = &at(0).shard(),
          .link_server = [this] { return linked_.load(); },
          .sessions_of =
              [this](int loop, const std::string& manager, uint64_t incarnation) {
                return static_cast<uint64_t>(at(loop).sessions().SizeOf(manager, incarnation));
              },
          .configured_domains = settings_.domains,
          .domains_changed = [this] { domain_watch_->LookNow(); },
          .config_text = [this] { return settings_.text; }},
      AdminService::Options{.token = settings_.admin_token,
                            .redis_addresses = settings_.redis.addresses,
                            .certificate_files = CertificateFiles(settings_)});
  std::vector<std::string> domains;
  loops_.RunOn(0, [&] { domains = domain_watch_->domains(); });
  // The loops wait: a manager that is there at once must find the way back to managers.
  std::promise<void> open;
  std::shared_future<void> gate = open.get_future().share();
  for (int i = 0; i < loops_.size(); ++i) loops_.at(i).Post([gate] { gate.wait(); });

  std::vector<ManagerEvents*> events;
  for (auto& loop : business_) events.push_back(&loop->events());
  link_server_ = LinkServer::Start(
      {.instance = id_, .incarnation = incarnation_, .domains = std::move(domains),
       .rpc = settings_.rpc},
      &loops_, std::move(events),
      [this](const std::string& method, std::string request, const std::string& authorization,
             runtime::RpcServer::Respond respond) {
        admin_service_->Handle(method, std::move(request), authorization, std::move(respond));
      });
  if (link_server_ != nullptr) {
    for (int i = 0; i < loops_.size(); ++i) at(i).SetLinks(&link_server_->links(i));
    linked_ = link_server_.get();
  }
  open.set_value();
  if (link_server_ == nullptr) return false;
  loops_.RunOn(0, [this] {
    // Known before there was anybody to tell.
    if (keeper_->generation() != 0) link_server_->SetGeneration(keeper_->generation());
    link_server_->SetDomains(domain_watch_->domains());
    lease_ = std::make_unique<cluster::BusinessLease>(&loops_.at(0), &at(0).redis(), id_,
                                                      incarnation_, settings_.lease);
    lease_->Start();
    // It delivers: not before there are links.
    undelivered_ = std::make_unique<Undelivered>(&at(0).shard());
    outboxes_ = std::make_unique<OutboxSweeper>(&at(0).shard(), undelivered_.get());
    outboxes_->Start();
  });
  runtime::LogInfo("listening", "Managers are accepted.",
                   {{"address", settings_.rpc.address}, {"port", link_server_->port()}});
  return true;
}

bool Server::StartAdmin() {
  runtime::AddProcessMetrics("business");
  runtime::AddLoopMetrics("business", &loops_);
  std::vector<runtime::RedisClient*> clients;
  for (auto& loop : business_) clients.push_back(&loop->redis());
  AddRedisMetrics(std::move(clients));
  AddLinkMetrics(link_server_.get());

  admin_ = runtime::AdminServer::Start(&admin_loop_.at(0), settings_.admin, &health_, {&loops_});
  if (admin_ == nullptr) return false;
  admin_->Handle("GET", "/drain", [this](const runtime::HttpRequest&) { return Counts(); });
  admin_->Handle("POST", "/drain", [this](const runtime::HttpRequest&) {
    SetDraining(true);
    return Counts();
  });
  admin_->Handle("POST", "/undrain", [this](const runtime::HttpRequest&) {
    SetDraining(false);
    return Counts();
  });
  return true;
}

void Server::OnLink(const ManagerLink& link, bool up) {
  loops_.at(0).Post([this, manager = link.manager(), incarnation = link.incarnation(), up] {
    if (up) {
      reaper_->ManagerLinked(manager, incarnation);
    } else {
      reaper_->ManagerUnlinked(manager, incarnation);
    }
  });
}

void Server::OnGeneration(uint64_t generation) {
  health_.StepDone("redis");
  for (int i = 0; i < loops_.size(); ++i) {
    loops_.at(i).Post([this, i, generation] { at(i).SetGeneration(generation); });
  }
  reaper_->SetGeneration(generation);
  if (LinkServer* server = linked_.load()) server->SetGeneration(generation);
}

// On loop 0.
void Server::OnDomains(const std::vector<std::string>& domains) {
  for (int i = 0; i < loops_.size(); ++i) {
    loops_.at(i).Post([this, i, domains] { at(i).SetDomains(domains); });
  }
  if (LinkServer* server = linked_.load()) server->SetDomains(domains);
  if (!std::exchange(domains_told_, true)) domains_known_.set_value();
}

void Server::SetDraining(bool draining) {
  if (draining) {
    health_.SetNotReady("draining", "managers are asked to move their sessions away");
  } else {
    health_.ClearNotReady("draining");
  }
  link_server_->SetDraining(draining);
  runtime::LogInfo(draining ? "drain" : "undrain",
                   draining ? "New sessions go elsewhere." : "New sessions are taken again.");
}

Server::Load Server::LoadNow() {
  Load load;
  for (int i = 0; i < loops_.size(); ++i) {
    loops_.RunOn(i, [&] {
      load.sessions += at(i).sessions().size();
      load.unaccepted += at(i).sessions().unaccepted();
    });
  }
  return load;
}

runtime::HttpResponse Server::Counts() {
  const Load load = LoadNow();
  return {.body = "{\"sessions\":" + std::to_string(load.sessions) +
                  ",\"unaccepted\":" + std::to_string(load.unaccepted) + "}\n"};
}

void Server::Leave() {
  if (link_server_ != nullptr) {
    SetDraining(true);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    Load load = LoadNow();
    while ((load.sessions > 0 || load.unaccepted > 0) &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(kLook);
      load = LoadNow();
    }
    runtime::LogInfo("leaving", "The links are closed.",
                     {{"sessions", load.sessions}, {"unaccepted", load.unaccepted}});
    ReleaseLease();
    link_server_->Shutdown();
  }
  admin_loop_.RunOn(0, [this] { admin_.reset(); });
  loops_.RunOn(0, [this] {
    archive_sweeper_.reset();
    outboxes_.reset();
    lease_.reset();
    keeper_.reset();
    reaper_.reset();
  });
  admin_loop_.StopAndJoin();
  loops_.StopAndJoin();
}

// Before the links go: managers that see no business server alive hold their clients.
void Server::ReleaseLease() {
  auto released = std::make_shared<std::promise<void>>();
  std::future<void> answer = released->get_future();
  loops_.RunOn(0, [this, released] {
    if (lease_) lease_->Release([released] { released->set_value(); });
  });
  answer.wait_for(kLastWord);
}

}  // namespace business
