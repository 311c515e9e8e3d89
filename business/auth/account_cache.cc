#include "business/auth/account_cache.h"

#include <optional>
#include <utility>

namespace business {

using runtime::Result;
using runtime::Task;

Task<Result<AccountCache::AccountPtr>> AccountCache::Load(AccountStore* store, xmpp::BareJid jid) {
  Result<std::optional<Account>> found = co_await store->Find(std::move(jid));
  if (!found.has_value()) co_return found.error();
  AccountPtr account;
  if (found->has_value()) account = std::make_shared<const Account>(std::move(**found));
  co_return account;
}

}  // namespace business
