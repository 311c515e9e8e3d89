#include "business/pubsub/node_access.h"

#include <algorithm>
#include <utility>

#include "business/pubsub/pubsub_error.h"

namespace business {
namespace {

using xmpp::StanzaError;
using Affiliation = PubsubAffiliation;

constexpr std::pair<Affiliation, std::string_view> kNames[] = {
    {Affiliation::kNone, "none"},           {Affiliation::kOutcast, "outcast"},
    {Affiliation::kMember, "member"},       {Affiliation::kPublishOnly, "publish-only"},
    {Affiliation::kPublisher, "publisher"}, {Affiliation::kOwner, "owner"},
};

bool SharesGroup(const std::vector<std::string>& allowed, const std::vector<std::string>& groups) {
  return std::any_of(groups.begin(), groups.end(), [&](const std::string& group) {
    return std::find(allowed.begin(), allowed.end(), group) != allowed.end();
  });
}

}  // namespace

std::optional<StanzaError> MayRead(const NodeConfig& config, Affiliation affiliation,
                                   bool subscribed, const PubsubAsker& asker) {
  if (asker.service) return std::nullopt;
  switch (affiliation) {
    case Affiliation::kOwner:
    case Affiliation::kPublisher:
    case Affiliation::kMember:
      return std::nullopt;
    case Affiliation::kOutcast:
    case Affiliation::kPublishOnly:
      return StanzaError::Forbidden();
    case Affiliation::kNone:
      break;
  }
  switch (config.access) {
    case AccessModel::kOpen:
      return std::nullopt;
    case AccessModel::kPresence:
      if (asker.presence) return std::nullopt;
      return WithPubsub(StanzaError::NotAuthorized(), "presence-subscription-required");
    case AccessModel::kRoster:
      if (asker.presence && SharesGroup(config.roster_groups, asker.groups)) return std::nullopt;
      return WithPubsub(StanzaError::NotAuthorized(), "not-in-roster-group");
    case AccessModel::kAuthorize:
      if (subscribed) return std::nullopt;
      return WithPubsub(StanzaError::NotAuthorized(), "not-subscribed");
    case AccessModel::kWhitelist:
      return WithPubsub(StanzaError::NotAllowed(), "closed-node");
  }
  return StanzaError::Forbidden();
}

bool MayPublish(const NodeConfig& config, Affiliation affiliation, bool subscribed,
                const PubsubAsker& asker) {
  if (asker.service) return true;
  switch (affiliation) {
    case Affiliation::kOwner:
    case Affiliation::kPublisher:
    case Affiliation::kPublishOnly:
      return true;
    case Affiliation::kOutcast:
      return false;
    default:
      break;
  }
  switch (config.publish) {
    case PublishModel::kPublishers:
      return false;
    case PublishModel::kSubscribers:
      return subscribed;
    case PublishModel::kOpen:
      return true;
  }
  return false;
}

std::string_view AffiliationName(Affiliation affiliation) {
  for (const auto& [known, name] : kNames) {
    if (known == affiliation) return name;
  }
  return "none";
}

std::optional<Affiliation> ParseAffiliation(std::string_view name) {
  for (const auto& [affiliation, known] : kNames) {
    if (known == name) return affiliation;
  }
  return std::nullopt;
}

}  // namespace business
