#include "business/link/loop_links.h"

#include <algorithm>

#include "lib/runtime/check.h"
#include "lib/runtime/log.h"
#include "proto/connmgr_business.pb.h"

namespace business {
namespace {

constexpr std::chrono::milliseconds kTick{1000};

// Targets of one item: what they add to it stays well below a frame's greatest size.
constexpr size_t kMaxTargetBytes = 1 << 20;
constexpr size_t kTargetOverhead = 64;

size_t SizeOf(const HandedOver& item) {
  size_t bytes = item.body ? item.body->bytes.size() : 0;
  for (const DeliverTarget& target : item.targets) bytes += kTargetOverhead + target.to.size();
  return bytes;
}

}  // namespace

void LinkProcess::StreamOpened() {
  std::lock_guard lock(mutex_);
  ++open_streams_;
}

void LinkProcess::StreamOver() {
  std::lock_guard lock(mutex_);
  if (--open_streams_ == 0) none_open_.notify_all();
}

void LinkProcess::AwaitStreams(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  none_open_.wait_for(lock, patience, [this] { return open_streams_ == 0; });
}

LoopLinks::LoopLinks(LinkProcess* process, int loop)
    : process_(process),
      index_(static_cast<size_t>(loop)),
      loop_(process->loops->at(loop)),
      issued_(loop),
      mail_(static_cast<size_t>(process->loops->size())),
      mail_run_(this),
      tick_(this),
      domains_(process->options.domains) {
  loop_.Post([this] { Tick(); });
}

LoopLinks::~LoopLinks() = default;

template <typename Work>
void LoopLinks::OnOtherLoops(Work work) {
  for (const auto& other : process_->links) {
    if (other.get() != this) other->loop_.Post([links = other.get(), work] { work(links); });
  }
}

// `work` may bring any stream down.
template <typename Work>
void LoopLinks::ForEachStream(Work work) {
  std::vector<std::shared_ptr<ManagerStream>> all;
  for (const auto& [id, stream] : streams_) all.push_back(stream);
  for (const auto& stream : all) work(*stream);
}

void LoopLinks::Tick() {
  if (closed_) return;
  ForEachStream([this](ManagerStream& stream) { stream.Tick(loop_.NowMs()); });
  routes_.Sweep();
  loop_.Arm(&tick_, kTick);
}

// --- streams

void LoopLinks::Accept(std::unique_ptr<runtime::RpcStream> rpc) {
  if (closed_) return;
  const uint64_t id = process_->next_stream.fetch_add(1, std::memory_order_relaxed);
  auto stream = std::make_shared<ManagerStream>(this, id, process_->loops->size(), std::move(rpc));
  process_->StreamOpened();
  streams_[id] = stream;
  stream->Start();
}

void LoopLinks::OnHello(const std::shared_ptr<ManagerStream>& stream) {
  std::shared_ptr<ManagerStream> old = process_->directory.Claim(stream->key(), stream);
  if (old == nullptr) return stream->Established();
  if (old->loop_index() == loop_.index()) {
    return old->GiveWay([stream] { stream->Established(); });
  }
  runtime::Callback established = [this, stream]() mutable {
    loop_.Post([stream = std::move(stream)] { stream->Established(); });
  };
  runtime::EventLoop& there = process_->loops->at(old->loop_index());
  there.Post([old = std::move(old), established = std::move(established)]() mutable {
    old->GiveWay(std::move(established));
  });
}

void LoopLinks::OnUp(const std::shared_ptr<ManagerStream>& stream) {
  const ManagerLoop& key = stream->key();
  const uint64_t id = stream->id();
  const int index = loop_.index();
  routes_.Set(key, id, index, stream.get());
  OnOtherLoops([key, id, index](LoopLinks* l) { l->routes_.Set(key, id, index, nullptr); });
  process_->directory.MarkUp(key, stream.get());
  runtime::LogInfo(
      "link_up", "a manager has attached",
      {{"manager", key.manager}, {"incarnation", key.incarnation}, {"loop", key.loop}});
  if (drained_.contains({key.manager, key.incarnation})) {
    xylem::v1::Control control;
    control.mutable_drain_manager();
    stream->SendControl(control);
  }
  events().OnLinkUp(stream);
}

void LoopLinks::OnDown(const std::shared_ptr<ManagerStream>& stream) {
  const ManagerLoop& key = stream->key();
  const uint64_t id = stream->id();
  routes_.Clear(key, id);
  OnOtherLoops([key, id](LoopLinks* l) { l->routes_.Clear(key, id); });
  events().OnLinkDown(stream);
}

void LoopLinks::OnReleased(const ManagerStream& stream) {
  process_->directory.Release(stream.key(), &stream);
}

void LoopLinks::OnOver(const std::shared_ptr<ManagerStream>& stream) {
  streams_.erase(stream->id());
  process_->StreamOver();
}

void LoopLinks::CloseStreams() {
  ForEachStream([](ManagerStream& stream) { stream.Close("this server stops"); });
  closed_ = true;
  tick_.Cancel();
}

void LoopLinks::CutStreams() {
  ForEachStream([](ManagerStream& stream) { stream.Cut("this server stops"); });
}

// --- what every manager is told

xylem::v1::Hello LoopLinks::OurHello() {
  xylem::v1::Hello hello;
  hello.set_protocol_min(ManagerStream::kProtocol);
  hello.set_protocol_max(ManagerStream::kProtocol);
  hello.set_instance(process_->options.instance);
  hello.set_incarnation(process_->options.incarnation);
  hello.set_redis_generation(generation_);
  hello.set_draining(draining_);
  hello.add_features(ManagerStream::kLateAnswers);
  for (const std::string& domain : domains_) hello.add_domains(domain);
  return hello;
}

void LoopLinks::Tell(const xylem::v1::Control& control) {
  ForEachStream([&control](ManagerStream& stream) { stream.SendControl(control); });
}

void LoopLinks::SetGeneration(uint64_t generation) {
  if (std::exchange(generation_, generation) == generation) return;
  xylem::v1::Control control;
  control.mutable_generation()->set_generation(generation);
  Tell(control);
}

void LoopLinks::SetDraining(bool draining) {
  if (std::exchange(draining_, draining) == draining) return;
  xylem::v1::Control control;
  control.mutable_draining()->set_undrain(!draining);
  Tell(control);
}

void LoopLinks::SetDomains(std::vector<std::string> domains) {
  if (domains == domains_) return;
  domains_ = std::move(domains);
  xylem::v1::Control control;
  auto* told = control.mutable_domains()->mutable_domains();
  for (const std::string& domain : domains_) *told->Add() = domain;
  Tell(control);
}

void LoopLinks::DrainManager(const std::string& manager, bool undrain) {
  for (uint64_t incarnation : routes_.Incarnations(manager)) {
    if (!undrain) drained_.insert({manager, incarnation});
  }
  if (undrain) std::erase_if(drained_, [&](const auto& run) { return run.first == manager; });
  xylem::v1::Control control;
  control.mutable_drain_manager()->set_undrain(undrain);
  ForEachStream([&](ManagerStream& stream) {
    if (stream.manager() == manager) stream.SendControl(control);
  });
}

// --- deliveries

bool LoopLinks::IsLinked(const std::string& manager, uint64_t incarnation) const {
  return routes_.IsLinked(manager, incarnation);
}

Route* LoopLinks::RouteOf(const DeliverTarget& target) const {
  return routes_.Find(target.owner.manager, target.owner.incarnation, target.owner.connection);
}

bool LoopLinks::OneRoute(const std::vector<DeliverTarget>& targets, Route** route) const {
  *route = targets.empty() ? nullptr : RouteOf(targets[0]);
  if (targets.size() > kMaxTargetBytes / (4 * kTargetOverhead)) return false;
  return std::all_of(targets.begin(), targets.end(), [&](const DeliverTarget& target) {
    return &target == &targets[0] || RouteOf(target) == *route;
  });
}

std::vector<LoopLinks::Group> LoopLinks::GroupByRoute(std::vector<DeliverTarget> targets) const {
  std::vector<Group> groups;
  for (uint32_t i = 0; i < targets.size(); ++i) {
    Route* const route = RouteOf(targets[i]);
    const size_t bytes = kTargetOverhead + targets[i].to.size();
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return g.route == route && g.bytes + bytes <= kMaxTargetBytes;
    });
    Group& mine = group != groups.end() ? *group : groups.emplace_back(Group{.route = route});
    mine.index.push_back(i);
    mine.bytes += bytes;
    mine.targets.push_back(std::move(targets[i]));
  }
  return groups;
}

void LoopLinks::Deliver(DeliverBody body, std::vector<DeliverTarget> targets, Done done) {
  loop_.AssertInLoop();
  const uint32_t delivery = issued_.Open(targets.size(), std::move(done));
  Route* route;
  if (OneRoute(targets, &route)) {
    const DeliveryRef ref = issued_.AddPart(delivery, route, {});
    if (route != nullptr && route->usable() && route->local != nullptr) {
      route->local->Deliver(ref, body, targets);  // the common case copies and allocates least
    } else {
      SendPart(ref, route, std::make_shared<const DeliverBody>(std::move(body)),
               std::move(targets));
    }
  } else {
    const auto shared = std::make_shared<const DeliverBody>(std::move(body));
    for (Group& group : GroupByRoute(std::move(targets))) {
      const DeliveryRef ref = issued_.AddPart(delivery, group.route, std::move(group.index));
      SendPart(ref, group.route, shared, std::move(group.targets));
    }
  }
  if (issued_.Seal(delivery)) {
    loop_.Defer([this, delivery] { issued_.Finish(delivery); });
  }
}

void LoopLinks::SendPart(const DeliveryRef& ref, Route* route,
                         std::shared_ptr<const DeliverBody> body,
                         std::vector<DeliverTarget> targets) {
  if (route == nullptr || !route->usable()) {
    issued_.OnResult({ref, DeliverOutcome::kNoLink, {}});
  } else if (route->local != nullptr) {
    route->local->Deliver(ref, *body, targets);
  } else if (route->outstanding > ManagerStream::kMaxQueuedItems ||
             process_->links[static_cast<size_t>(route->loop)]->inbound_bytes_.load(
                 std::memory_order_relaxed) >= ManagerStream::kMaxQueuedBytes) {
    counters_.refused_full.Add();
    issued_.OnResult({ref, DeliverOutcome::kNoLink, {}});
  } else {
    counters_.handed_over.Add();
    HandOver(*route, {.body = std::move(body), .targets = std::move(targets), .ref = ref});
  }
}

void LoopLinks::AskTaken() {
  loop_.AssertInLoop();
  routes_.ForEach([this](Route& route) {
    if (route.outstanding == 0 || !route.usable()) return;
    if (route.local != nullptr) return route.local->AskTaken();
    // Behind what was handed over in this turn.
    Mail& mail = MailFor(route.loop);
    if (!std::count(mail.asked.begin(), mail.asked.end(), route.stream)) {
      mail.asked.push_back(route.stream);
    }
  });
}

void LoopLinks::Close(const cluster::Owner& owner, xmpp::StreamError error) {
  loop_.AssertInLoop();
  Route* const route = routes_.Find(owner.manager, owner.incarnation, owner.connection);
  if (route == nullptr || route->stream == 0) return;
  if (route->local != nullptr) {
    route->local->SendClose(owner.connection, owner.epoch, std::move(error));
  } else {
    HandOver(*route, {.targets = {{.owner = owner}}, .error = std::move(error)});
  }
}

void LoopLinks::OnAnswered(PartResult result) {
  if (result.ref.issuer == loop_.index()) {
    issued_.OnResult(result);
  } else {
    MailFor(result.ref.issuer).results.push_back(std::move(result));
  }
}

// --- from loop to loop

LoopLinks::Mail& LoopLinks::MailFor(int loop) {
  loop_.ScheduleTurnEnd(&mail_run_);
  return mail_[static_cast<size_t>(loop)];
}

void LoopLinks::HandOver(const Route& route, HandedOver item) {
  item.stream = route.stream;
  const size_t bytes = SizeOf(item);
  process_->links[static_cast<size_t>(route.loop)]->inbound_bytes_.fetch_add(
      bytes, std::memory_order_relaxed);
  Mail& mail = MailFor(route.loop);
  mail.bytes += bytes;
  mail.deliveries.push_back(std::move(item));
}

void LoopLinks::SendMail() {
  for (size_t i = 0; i < mail_.size(); ++i) {
    Mail& mail = mail_[i];
    if (mail.deliveries.empty() && mail.results.empty() && mail.asked.empty()) continue;
    LoopLinks* const there = process_->links[i].get();
    there->loop_.Post(
        [there, mail = std::exchange(mail, {})]() mutable { there->OnMail(std::move(mail)); });
  }
}

void LoopLinks::OnMail(Mail mail) {
  inbound_bytes_.fetch_sub(mail.bytes, std::memory_order_relaxed);
  for (const PartResult& result : mail.results) issued_.OnResult(result);
  for (HandedOver& item : mail.deliveries) {
    const auto it = streams_.find(item.stream);
    ManagerStream* const stream = it == streams_.end() ? nullptr : it->second.get();
    if (item.body == nullptr) {
      if (stream == nullptr) continue;
      const cluster::Owner& owner = item.targets[0].owner;
      stream->SendClose(owner.connection, owner.epoch, std::move(item.error));
    } else if (stream == nullptr) {
      OnAnswered({item.ref, DeliverOutcome::kNoLink, {}});
    } else {
      stream->Deliver(item.ref, *item.body, item.targets);
    }
  }
  for (const uint64_t id : mail.asked) {
    if (const auto it = streams_.find(id); it != streams_.end()) it->second->AskTaken();
  }
}

}  // namespace business
