// The client itself: counts and bounds commands, routes them by slot, follows redirects.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "lib/runtime/redis_client.h"
#include "lib/runtime/redis_node.h"
#include "lib/runtime/redis_slots.h"

namespace runtime {

// Lives on its loop. Without a cluster there is one node; with one, a node per master, learned by
// CLUSTER SLOTS from any of the seeds.
class RedisRouter final : public RedisClient, public RedisNode::Owner {
 public:
  RedisRouter(EventLoop* loop, RedisOptions options);
  ~RedisRouter() override;
  void Start();

  void Command(std::string_view key, Args args, Callback done) override;
  void Eval(const RedisScript& script, Args keys, Args args, Callback done) override;
  void OnEachMaster(Args args, absl::AnyInvocable<void(std::vector<Reply>)> done) override;
  std::vector<std::string> MasterTags() const override;
  bool KeepsOrder() const override { return !options_.cluster; }
  State state() const override;
  uint64_t whole_since_ms() const override;
  void OnConnected(absl::AnyInvocable<void(const std::string&)> hook) override;
  Stats stats() const override;

 private:
  void OnNodeReady(RedisNode* node) override;
  void OnNodeReply(RedisNode* node, RedisRequest request, RedisReply reply) override;
  void OnNodeRefused(RedisRequest request, Error error) override;
  void OnNodeTrouble(RedisNode* node, const char* what, const std::string& reason) override;

  bool Admit(RedisRequest* request, Callback done);
  void Route(RedisRequest request);
  void Finish(RedisRequest request, Reply reply);
  bool Redirect(RedisNode* node, RedisRequest* request, const RedisReply& reply);
  RedisNode* NodeAt(const std::string& address);
  RedisNode* NodeFor(const RedisRequest& request);
  RedisNode* AnyNode();
  std::vector<RedisNode*> Masters() const;

  void AskForSlots(RedisNode* node);
  void TakeSlots(RedisNode* from, const RedisReply& reply);
  void OnTick();  // cluster only, each second

  struct Counters;
  struct Tick : Timer {
    explicit Tick(RedisRouter* r)
        : Timer([](Timer* t) { static_cast<Tick*>(t)->router->OnTick(); }), router(r) {}
    RedisRouter* router;
  };

  EventLoop* const loop_;
  const RedisOptions options_;
  absl::flat_hash_map<std::string, std::unique_ptr<RedisNode>> nodes_;
  RedisNode* only_ = nullptr;  // without a cluster
  RedisSlotMap slots_;
  uint64_t slots_since_ms_ = 0;  // complete since; 0 = not
  bool slots_wanted_ = true;
  bool slots_asked_ = false;
  RingQueue<RedisRequest> unrouted_;  // until the slots are known
  Tick tick_;
  absl::AnyInvocable<void(const std::string&)> connected_hook_;
  std::unique_ptr<Counters> counters_;
};

}  // namespace runtime
