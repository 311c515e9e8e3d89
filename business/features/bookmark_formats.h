// Bookmarks as items of their own (XEP-0402) and as one element (XEP-0048): one made from the other.
#pragma once

#include <string>
#include <vector>

#include "business/store/pubsub_store.h"
#include "lib/xmpp/element.h"

namespace business {

// {storage:bookmarks}storage with a conference for each item, in their order. What else `old` holds
// (URLs, whatever clients put there) stays behind them.
xmpp::Element BookmarkStorage(const std::vector<PubsubItem>& items, const xmpp::Element& old);

// What the items have to become for `storage`: items to publish, only those that differ, and ids to
// retract. What XEP-0048 cannot say (extensions) is taken over from the item that stood there.
// Conferences without a valid address are left out; of two with one address the last counts.
struct BookmarkChanges {
  std::vector<PubsubItem> publish;
  std::vector<std::string> retract;
};
BookmarkChanges BookmarkItems(const xmpp::Element& storage, const std::vector<PubsubItem>& items);

}  // namespace business
