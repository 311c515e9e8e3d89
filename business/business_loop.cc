#include "business/business_loop.h"

#include "business/features/feature_list.h"

namespace business {

BusinessLoop::BusinessLoop(runtime::EventLoop* loop, const Shared& shared)
    : shard_{.loop = loop,
             .registry = &registry_,
             .outbox = &outbox_,
             .stores = &stores_,
             .ids = &ids_,
             .sealer = shared.sealer,
             .features = &features_,
             .events = &presence_,
             .sessions = &sessions_,
             .commits = &commits_,
             .guard = &guard_,
             .generation = &generation_,
             .metrics = shared.metrics,
             .requests = &requests_,
             .rosters = &rosters_,
             .resumption = {shared.settings->resumption, shared.settings->resumption_max},
             .domains = shared.settings->domains},
      redis_(runtime::RedisClient::Create(loop, shared.settings->redis)),
      registry_(redis_.get()),
      outbox_(redis_.get(), shared.settings->outbox),
      ids_(cluster::DeriveSecret(shared.settings->secret, "xylem cluster id 1")),
      generation_(loop),
      sessions_(&shard_),
      commits_(&shard_),
      requests_(&shard_),
      guard_(&shard_),
      stores_(LoopStores::Of(shared.store, loop)),
      rosters_(&shard_, {.keep = shared.settings->cache_time}),
      features_(AllFeatures({.shard = &shard_,
                             .history = shared.settings->history,
                             .pep = shared.settings->pep,
                             .service = shared.settings->service,
                             .command_sealer = CommandSealer(*shared.settings)})),
      presence_(&shard_),
      dispatcher_(&shard_, &presence_),
      account_cache_(loop, stores_.accounts.get(), &registry_, shared.settings->cache_time),
      account_admin_(loop, stores_.accounts.get(), &registry_, shared.workers,
                     {.domains = shared.settings->domains,
                      .scram_iterations = shared.settings->auth.scram_iterations}),
      registrar_(&shard_, shared.workers, shared.settings->service),
      authenticator_(Authenticator::Create(loop, LoginOptions(*shared.settings, &registrar_),
                                           &account_cache_, shared.workers, shared.sealer)),
      session_service_(&shard_, authenticator_.get(), &dispatcher_,
                       SessionOptions(*shared.settings, features_)),
      observer_(&session_service_, shared.on_link) {
  shard_.redis = redis_.get();
  shard_.accounts = &account_admin_;
}

std::shared_ptr<const cluster::TicketSealer> BusinessLoop::CommandSealer(const Settings& settings) {
  return std::make_shared<const cluster::TicketSealer>(
      std::vector<std::string>{cluster::DeriveSecret(settings.secret, "xylem commands 1")});
}

Authenticator::Options BusinessLoop::LoginOptions(const Settings& settings, Registrar* registrar) {
  Authenticator::Options options = settings.auth;
  options.strangers = registrar;
  return options;
}

void BusinessLoop::SetGeneration(uint64_t generation) {
  outbox_.SetGeneration(generation);
  generation_.Set(generation);
}

void BusinessLoop::SetDomains(const std::vector<std::string>& domains) {
  shard_.loop->AssertInLoop();
  shard_.domains = domains;
  account_admin_.SetDomains(domains);
  authenticator_->SetDomains(domains);
}

SessionService::Options BusinessLoop::SessionOptions(const Settings& settings,
                                                     const FeatureSet& features) {
  SessionService::Options options;
  options.max_resources = settings.resources;
  options.replace = settings.replace;
  options.stream_features = [&features] { return features.StreamFeatures(); };
  return options;
}

}  // namespace business
