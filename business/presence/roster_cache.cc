#include "business/presence/roster_cache.h"

#include <utility>

#include "business/store/loop_stores.h"

namespace business {
namespace {

using runtime::Result;
using runtime::Task;

size_t CostOf(const RosterPtr& roster) { return roster->entries.size() + 1; }

Task<Result<RosterPtr>> Load(Shard* shard, xmpp::BareJid account) {
  Result<Roster> loaded = co_await shard->stores->rosters->Load(std::move(account));
  if (!loaded) co_return loaded.error();
  co_return RosterPtr(std::make_shared<const Roster>(*std::move(loaded)));
}

}  // namespace

RosterCache::RosterCache(Shard* shard, Options options)
    : cache_(shard,
             {.collection = "roster",
              .keep = options.keep,
              .max_cost = options.max_contacts,
              .cost = CostOf},
             [shard](xmpp::BareJid account) { return Load(shard, std::move(account)); }) {}

}  // namespace business
