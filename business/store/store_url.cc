#include "business/store/store_url.h"

#include <string_view>

namespace business {

using runtime::Error;

namespace {

bool HasPassword(std::string_view url) {
  const size_t authority = url.find("://") + 3;
  const std::string_view user =
      url.substr(authority, url.find_first_of("/?", authority) - authority);
  const size_t at = user.rfind('@');
  const bool in_authority =
      at != std::string_view::npos && user.substr(0, at).find(':') != std::string_view::npos;
  return in_authority || url.find("?password=") != std::string_view::npos ||
         url.find("&password=") != std::string_view::npos;
}

}  // namespace

runtime::Result<StoreUrl> ReadStoreUrl(const std::string& url) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (url.starts_with(kSqlite)) {
    std::string path = url.substr(kSqlite.size());
    if (path.starts_with("//")) path.erase(0, 2);
    if (path.empty()) return Error::Failed("store.url: sqlite: needs a path, as in sqlite:xylem.db");
    return StoreUrl{.path = std::move(path)};
  }
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) {
    if (HasPassword(url)) {
      return Error::Failed(
          "store.url: the password does not belong into the URL, which others get to see; give "
          "store.password_file");
    }
    return StoreUrl{.postgres = true};
  }
  return Error::Failed("store.url: expected sqlite:PATH or postgresql://USER@HOST/DATABASE");
}

}  // namespace business
