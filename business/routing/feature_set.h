// All features of a process together: checked at start, then looked up by route and by stage.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/functional/any_invocable.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "business/feature.h"

namespace business {

// One per loop (handlers hold that loop's stores); read-only once Check was good.
class FeatureSet {
 public:
  // Features in stage order.
  explicit FeatureSet(std::vector<Feature> features);
  FeatureSet(const FeatureSet&) = delete;
  FeatureSet& operator=(const FeatureSet&) = delete;

  // One sentence per mistake, each with the names of the features concerned: a route claimed twice,
  // a need that nobody meets, a name given twice, a stage handler that cannot run.
  std::vector<std::string> Check() const;

  // nullptr: nobody claims it.
  const IqHandler* FindIq(IqType type, std::string_view ns, std::string_view element,
                          Addressee addressee) const;

  // Runs the stage's handlers in order until one says other than Continue. `done` is called from
  // inside if no handler is a coroutine; `event` has to live until then. An exception is
  // internal-server-error.
  void RunStage(Stage stage, xmpp::StanzaKind kind, StageEvent& event, StageDone done) const;
  // The same for stages that have no coroutine handlers for `kind`.
  StageVerdict RunStageNow(Stage stage, xmpp::StanzaKind kind, StageEvent& event) const;
  bool HasStage(Stage stage, xmpp::StanzaKind kind) const {
    return (stage_kinds_[static_cast<size_t>(stage)] & (1u << static_cast<unsigned>(kind))) != 0;
  }
  // kNonza stands for "no stanza": kSessionOpened, kPresenceChanged, kSessionClosed.
  Task<StageVerdict> RunSessionStage(Stage stage, StageEvent event) const;

  const std::vector<Feature>& features() const { return features_; }
  std::string StreamFeatures() const;

 private:
  using Handlers = std::vector<const StageHandler*>;
  void RunRest(const Handlers& handlers, size_t first, uint8_t bit, StageEvent& event,
               StageDone done) const;
  Task<StageVerdict> RunFrom(const Handlers& handlers, size_t first, uint8_t bit,
                             StageEvent& event) const;

  std::vector<Feature> features_;
  absl::flat_hash_map<std::string, const IqRoute*> routes_;
  std::array<Handlers, kStages> stages_;
  std::array<uint8_t, kStages> stage_kinds_{};
};

}  // namespace business
