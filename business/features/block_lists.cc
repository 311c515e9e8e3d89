#include "business/features/block_lists.h"

#include <algorithm>
#include <utility>

#include "business/session/shard.h"
#include "business/store/loop_stores.h"

namespace business {
namespace {

using runtime::Result;
using runtime::Task;
using ListPtr = BlockLists::ListPtr;

Task<Result<ListPtr>> LoadFrom(Shard* shard, xmpp::BareJid account) {
  Result<DataCollection> stored =
      co_await shard->stores->account_data->List(account, DataType::kBlockList);
  if (!stored) co_return stored.error();
  if (stored->entries.empty()) co_return ListPtr();
  std::vector<std::string> jids;
  jids.reserve(stored->entries.size());
  for (DataEntry& entry : stored->entries) jids.push_back(std::move(entry.key));
  co_return ListPtr(std::make_shared<const BlockList>(std::move(jids)));
}

// What several look-ups that run at once are waited for by.
struct Gathering {
  explicit Gathering(size_t count) : lists(count, ListPtr()), open(count) {}
  std::vector<Result<ListPtr>> lists;
  size_t open;
  runtime::OneShot<bool> done;
};

Task<void> Gather(BlockLists* lists, xmpp::BareJid account, size_t at,
                  std::shared_ptr<Gathering> gathering) {
  gathering->lists[at] = co_await lists->Of(std::move(account));
  if (--gathering->open == 0) gathering->done.Set(true);
}

std::vector<std::string> Sorted(std::vector<std::string> jids) {
  std::sort(jids.begin(), jids.end());
  return jids;
}

}  // namespace

BlockList::BlockList(std::vector<std::string> jids) : jids_(Sorted(std::move(jids))) {}

bool BlockList::Has(std::string_view text) const {
  return std::binary_search(jids_.begin(), jids_.end(), text);
}

bool BlockList::Blocks(const xmpp::Jid& jid) const {
  if (Has(jid.ToString()) || Has(jid.BareView()) || Has(jid.domain())) return true;
  if (!jid.HasLocal() || !jid.HasResource()) return false;
  return Has(std::string(jid.domain()) + "/" + std::string(jid.resource()));
}

BlockLists::BlockLists(Shard* shard)
    : cache_(shard, {.collection = "block_list"},
             [shard](xmpp::BareJid account) { return LoadFrom(shard, std::move(account)); }) {}

void BlockLists::OfTwo(xmpp::BareJid first, xmpp::BareJid second, DoneTwo done) {
  struct Asked {
    explicit Asked(DoneTwo d) : done(std::move(d)) {}
    void One() {
      if (--open == 0) done(first, second);
    }
    Result<ListPtr> first = ListPtr(), second = ListPtr();
    int open = 2;
    DoneTwo done;
  };
  auto asked = std::make_shared<Asked>(std::move(done));
  cache_.Of(std::move(first), [asked](Result<ListPtr> list) {
    asked->first = std::move(list);
    asked->One();
  });
  cache_.Of(std::move(second), [asked](Result<ListPtr> list) {
    asked->second = std::move(list);
    asked->One();
  });
}

Task<void> BlockLists::KeepListeners(xmpp::Jid from, std::vector<xmpp::BareJid>* accounts) {
  if (accounts->empty()) co_return;
  auto gathering = std::make_shared<Gathering>(accounts->size());
  for (size_t i = 0; i < accounts->size(); ++i) {
    runtime::Spawn(Gather(this, (*accounts)[i], i, gathering));
  }
  co_await gathering->done;
  std::vector<xmpp::BareJid> left;
  for (size_t i = 0; i < accounts->size(); ++i) {
    const Result<ListPtr>& list = gathering->lists[i];
    const bool own = (*accounts)[i].ToString() == from.BareView();
    if (own || (list && (*list == nullptr || !(*list)->Blocks(from)))) {
      left.push_back(std::move((*accounts)[i]));
    }
  }
  *accounts = std::move(left);
}

Task<void> BlockLists::KeepUnblocked(xmpp::BareJid account, std::vector<xmpp::BareJid>* contacts) {
  if (contacts->empty()) co_return;
  const Result<ListPtr> list = co_await Of(std::move(account));
  if (!list) {
    contacts->clear();
  } else if (*list != nullptr) {
    std::erase_if(*contacts,
                  [&](const xmpp::BareJid& contact) { return (*list)->Blocks(contact); });
  }
}

}  // namespace business
