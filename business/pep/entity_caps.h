#pragma once

#include <functional>
#include <memory>

#include "business/feature.h"
#include "business/pep/caps_cache.h"

namespace business {

struct Shard;

// Asks clients what their hashes stand for. One per loop, lives on it.
class CapsLearner {
 public:
  // Called for each available presence of a session of this loop, once it is known what its client
  // wants; behind the presence, and maybe when the session is gone.
  using OnKnown = std::function<void(const std::shared_ptr<Session>&, Interests)>;

  CapsLearner(Shard* shard, std::shared_ptr<CapsCache> cache)
      : shard_(shard), cache_(std::move(cache)) {}

  void SetOnKnown(OnKnown on_known) { on_known_ = std::move(on_known); }
  // The session is available.
  void OnAvailable(std::shared_ptr<Session> session);

 private:
  // Sessions with one hash: one is asked, the others wait for what he says.
  using Waiting = std::vector<std::weak_ptr<Session>>;

  static Task<void> Find(CapsLearner* self, std::shared_ptr<Session> session);
  void Ask(const std::string& key);
  void OnAnswer(const std::string& key, const std::shared_ptr<Session>& asked, const CapsId& caps,
                const xmpp::Stanza* answer);
  void OnUnasked(Session& session, const xmpp::Stanza& answer);
  void Tell(const std::shared_ptr<Session>& session, const Interests& interests);

  Shard* const shard_;
  const std::shared_ptr<CapsCache> cache_;
  OnKnown on_known_;
  absl::flat_hash_map<std::string, Waiting> waiting_;  // by shared key, or by session's
  bool listening_ = false;
};

Feature EntityCaps(std::shared_ptr<CapsLearner> learner);

}  // namespace business
