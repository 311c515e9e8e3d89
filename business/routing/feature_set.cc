#include "business/routing/feature_set.h"

#include <exception>
#include <utility>

#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"

namespace business {
namespace {

std::string RouteKey(IqType type, std::string_view ns, std::string_view element,
                     Addressee addressee) {
  std::string key;
  key.reserve(ns.size() + element.size() + 3);
  key.push_back(static_cast<char>('0' + static_cast<int>(type)));
  key.push_back(static_cast<char>('0' + static_cast<int>(addressee)));
  key.append(ns).append("\n").append(element);
  return key;
}

uint8_t Bit(Stage stage, xmpp::StanzaKind kind) {
  if (stage >= Stage::kSessionOpened) return kSessions;
  return static_cast<uint8_t>(1u << static_cast<unsigned>(kind));
}

// What a feature throws ends here.
xmpp::StanzaError Caught(const char* what) {
  static runtime::Counter& exceptions = runtime::Metrics::Get().GetCounter(
      "xylem_business_handler_exceptions_total",
      "Exceptions of feature handlers, answered internal-server-error");
  exceptions.Add();
  runtime::LogError("stage_exception", "a stage handler threw", {{"err", what}});
  return xmpp::StanzaError::InternalServerError();
}

StageVerdict Call(const StageHandler& handler, StageEvent& event) {
  try {
    return handler.now(event);
  } catch (const std::exception& e) {
    return Caught(e.what());
  } catch (...) {
    return Caught("unknown exception");
  }
}

bool Continues(const StageVerdict& verdict) { return std::holds_alternative<Continue>(verdict); }

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

}  // namespace

xmpp::Element Iq::Payload() const {
  auto root = xmpp::Element::Parse(bytes);
  if (!root) return {};
  const xmpp::Element* child = root->FirstChild();
  return child == nullptr ? xmpp::Element() : *child;
}

FeatureSet::FeatureSet(std::vector<Feature> features) : features_(std::move(features)) {
  for (const Feature& feature : features_) {
    for (const IqRoute& route : feature.iqs) {
      routes_.emplace(RouteKey(route.type, route.ns, route.element, route.addressee), &route);
    }
    for (const StageHandler& handler : feature.stages) {
      const auto stage = static_cast<size_t>(handler.stage);
      stages_[stage].push_back(&handler);
      stage_kinds_[stage] |= handler.kinds;
    }
  }
}

std::vector<std::string> FeatureSet::Check() const {
  std::vector<std::string> mistakes;
  absl::flat_hash_map<std::string, std::string_view> claimed;
  absl::flat_hash_map<std::string_view, int> names;
  for (const Feature& feature : features_) {
    if (++names[feature.name] == 2) {
      mistakes.push_back("two features are named " + Quoted(feature.name));
    }
  }
  for (const Feature& feature : features_) {
    for (std::string_view need : feature.needs) {
      if (names.contains(need)) continue;
      mistakes.push_back("feature " + Quoted(feature.name) + " needs " + Quoted(need) +
                         ", which is not there");
    }
    for (const IqRoute& route : feature.iqs) {
      const auto [it, first] = claimed.emplace(
          RouteKey(route.type, route.ns, route.element, route.addressee), feature.name);
      if (first) continue;
      mistakes.push_back("features " + Quoted(it->second) + " and " + Quoted(feature.name) +
                         " both claim iq " + (route.type == IqType::kGet ? "get" : "set") + " {" +
                         std::string(route.ns) + "}" + std::string(route.element));
    }
    for (const StageHandler& handler : feature.stages) {
      const int ways = (handler.now ? 1 : 0) + (handler.soon ? 1 : 0) + (handler.later ? 1 : 0);
      if (ways != 1 || (!handler.now && handler.stage == Stage::kToResource)) {
        mistakes.push_back("feature " + Quoted(feature.name) +
                           " has a stage handler that cannot run: it is one of `now`, `soon` and "
                           "`later`, and `now` in to_resource");
      }
    }
  }
  return mistakes;
}

const IqHandler* FeatureSet::FindIq(IqType type, std::string_view ns, std::string_view element,
                                    Addressee addressee) const {
  const auto it = routes_.find(RouteKey(type, ns, element, addressee));
  return it == routes_.end() ? nullptr : &it->second->handler;
}

StageVerdict FeatureSet::RunStageNow(Stage stage, xmpp::StanzaKind kind, StageEvent& event) const {
  const uint8_t bit = Bit(stage, kind);
  for (const StageHandler* handler : stages_[static_cast<size_t>(stage)]) {
    if ((handler->kinds & bit) == 0 || !handler->now) continue;
    StageVerdict verdict = Call(*handler, event);
    if (!Continues(verdict)) return verdict;
  }
  return Continue{};
}

void FeatureSet::RunStage(Stage stage, xmpp::StanzaKind kind, StageEvent& event,
                          StageDone done) const {
  RunRest(stages_[static_cast<size_t>(stage)], 0, Bit(stage, kind), event, std::move(done));
}

void FeatureSet::RunRest(const Handlers& handlers, size_t first, uint8_t bit, StageEvent& event,
                         StageDone done) const {
  for (size_t i = first; i < handlers.size(); ++i) {
    if ((handlers[i]->kinds & bit) == 0) continue;
    if (handlers[i]->soon) {
      handlers[i]->soon(event, [this, &handlers, i, bit, &event,
                                done = std::move(done)](StageVerdict verdict) mutable {
        if (!Continues(verdict)) return done(std::move(verdict));
        RunRest(handlers, i + 1, bit, event, std::move(done));
      });
      return;
    }
    if (handlers[i]->later) {
      runtime::Spawn([](Task<StageVerdict> rest, StageDone finish) -> Task<void> {
        StageVerdict verdict = co_await rest;
        finish(std::move(verdict));
      }(RunFrom(handlers, i, bit, event), std::move(done)));
      return;
    }
    StageVerdict verdict = Call(*handlers[i], event);
    if (!Continues(verdict)) return done(std::move(verdict));
  }
  done(Continue{});
}

Task<StageVerdict> FeatureSet::RunFrom(const Handlers& handlers, size_t first, uint8_t bit,
                                       StageEvent& event) const {
  for (size_t i = first; i < handlers.size(); ++i) {
    if ((handlers[i]->kinds & bit) == 0) continue;
    StageVerdict verdict = Continue{};
    if (handlers[i]->now) {
      verdict = Call(*handlers[i], event);
    } else if (handlers[i]->soon) {
      runtime::OneShot<StageVerdict> said;
      handlers[i]->soon(event, [&said](StageVerdict says) { said.Set(std::move(says)); });
      verdict = co_await said;
    } else {
      try {
        verdict = co_await handlers[i]->later(event);
      } catch (const std::exception& e) {
        verdict = Caught(e.what());
      } catch (...) {
        verdict = Caught("unknown exception");
      }
    }
    if (!Continues(verdict)) co_return verdict;
  }
  co_return Continue{};
}

Task<StageVerdict> FeatureSet::RunSessionStage(Stage stage, StageEvent event) const {
  StageVerdict verdict = co_await RunFrom(stages_[static_cast<size_t>(stage)], 0, kSessions, event);
  co_return verdict;
}

std::string FeatureSet::StreamFeatures() const {
  std::string xml;
  for (const Feature& feature : features_) {
    for (const StreamFeature& write : feature.stream_features) xml += write();
  }
  return xml;
}

}  // namespace business
