// What the server asks a client of its own accord, and the answer it waits for.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/functional/any_invocable.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/xmpp/stanza.h"

namespace business {

class Session;
struct Shard;

// One per loop, lives on it. Asks sessions whose home is this loop: the answer comes as any stanza
// of theirs does, so it comes here, unless the session moves in the meantime.
class ServerRequests {
 public:
  static constexpr size_t kMost = 10000;  // under way; more are refused
  static constexpr std::chrono::milliseconds kDeadline{30000};

  // nullptr: no answer within the deadline. Else a result or an error.
  using Done = absl::AnyInvocable<void(const xmpp::Stanza* answer)>;
  // A result that no request of this loop waits for, with a first child of the given namespace: its
  // session moved here after it was asked.
  using Unasked = std::function<void(Session& session, const xmpp::Stanza& answer)>;

  explicit ServerRequests(Shard* shard) : shard_(shard) {}
  ~ServerRequests();
  ServerRequests(const ServerRequests&) = delete;
  ServerRequests& operator=(const ServerRequests&) = delete;

  // Sends `<iq type='get'>` with `payload` (canonical) from the session's domain. False: too many
  // are under way, and `done` is not called. `done` may come after the session is gone.
  bool Get(Session& session, std::string_view payload, Done done);

  // The dispatcher's: an iq of type result or error to the server or to one's own account. False:
  // nobody waits for it.
  bool OnAnswer(Session& session, const xmpp::Stanza& answer);

  void OnUnasked(std::string_view ns, Unasked handler) { unasked_[std::string(ns)] = handler; }

  size_t under_way() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::string full;  // who is asked: nobody else may answer
    Done done;
  };

  Shard* const shard_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uint64_t number_ = 0;
  absl::flat_hash_map<std::string, Waiting> waiting_;  // by id
  absl::flat_hash_map<std::string, Unasked> unasked_;
};

}  // namespace business
