#include "business/history/archive_preferences.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "business/presence/roster_lookup.h"
#include "business/store/loop_stores.h"

namespace business {
namespace {

using runtime::Result;
using runtime::Task;

bool Lists(const std::vector<xmpp::Jid>& jids, std::string_view jid) {
  return std::any_of(jids.begin(), jids.end(),
                     [jid](const xmpp::Jid& listed) { return listed.ToString() == jid; });
}

Task<Result<PreferencesPtr>> LoadFrom(Shard* shard, xmpp::BareJid account) {
  Result<std::optional<ArchivePreferences>> stored =
      co_await shard->stores->archives->Preferences(std::move(account));
  if (!stored) co_return stored.error();
  if (!*stored) co_return PreferencesPtr();
  co_return PreferencesPtr(std::make_shared<const ArchivePreferences>(**std::move(stored)));
}

Task<void> AskRoster(Shard* shard, xmpp::BareJid account, xmpp::Jid with,
                     ArchivePreferencesCache::Answer answer) {
  const auto roster = co_await shard->rosters->RosterOf(std::move(account));
  answer(roster.has_value() && FindItem(**roster, with) == nullptr);
}

}  // namespace

ArchiveChoice ChoiceOf(const ArchivePreferences& preferences, const xmpp::Jid& with) {
  for (std::string_view jid : {std::string_view(with.ToString()), with.BareView()}) {
    if (Lists(preferences.never, jid)) return ArchiveChoice::kNo;
    if (Lists(preferences.always, jid)) return ArchiveChoice::kYes;
  }
  switch (preferences.otherwise) {
    case ArchivePreferences::Otherwise::kAlways:
      return ArchiveChoice::kYes;
    case ArchivePreferences::Otherwise::kNever:
      return ArchiveChoice::kNo;
    case ArchivePreferences::Otherwise::kRoster:
      break;
  }
  return ArchiveChoice::kIfInRoster;
}

ArchivePreferencesCache::ArchivePreferencesCache(Shard* shard)
    : shard_(shard),
      cache_(shard, {.collection = "archive_preferences"},
             [shard](xmpp::BareJid account) { return LoadFrom(shard, std::move(account)); }) {}

void ArchivePreferencesCache::Refuses(const xmpp::BareJid& account, const xmpp::Jid& with,
                                      Answer answer) {
  cache_.Of(account, [shard = shard_, account, with,
                      answer = std::move(answer)](Result<PreferencesPtr> preferences) mutable {
    if (!preferences || *preferences == nullptr) return answer(false);
    const ArchiveChoice choice = ChoiceOf(**preferences, with);
    if (choice != ArchiveChoice::kIfInRoster) return answer(choice == ArchiveChoice::kNo);
    runtime::Spawn(AskRoster(shard, std::move(account), std::move(with), std::move(answer)));
  });
}

}  // namespace business
