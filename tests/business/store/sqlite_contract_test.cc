// SQLite passes every contract.
#include "tests/business/store/account_data_store_contract.h"
#include "tests/business/store/account_store_contract.h"
#include "tests/business/store/archive_store_contract.h"
#include "tests/business/store/domain_store_contract.h"
#include "tests/business/store/offline_store_contract.h"
#include "tests/business/store/owner_contract.h"
#include "tests/business/store/pubsub_store_contract.h"
#include "tests/business/store/roster_store_contract.h"

namespace business {
namespace {

std::string FreshSqlite() {
  static TempDir* dir = new TempDir();  // removed at exit
  static int number = 0;
  static const bool registered = [] { return atexit([] { delete dir; }) == 0; }();
  (void)registered;
  return "sqlite:" + dir->File("store-" + std::to_string(++number));
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values(FreshSqlite));
INSTANTIATE_TEST_SUITE_P(Sqlite, OwnerContract, ::testing::Values(FreshSqlite));
INSTANTIATE_TEST_SUITE_P(Sqlite, RosterContract, ::testing::Values(FreshSqlite));
INSTANTIATE_TEST_SUITE_P(Sqlite, OfflineContract, ::testing::Values(FreshSqlite));
INSTANTIATE_TEST_SUITE_P(Sqlite, ArchiveContract, ::testing::Values(FreshSqlite));
INSTANTIATE_TEST_SUITE_P(Sqlite, AccountDataContract, ::testing::Values(FreshSqlite));
INSTANTIATE_TEST_SUITE_P(Sqlite, PubsubContract, ::testing::Values(FreshSqlite));
INSTANTIATE_TEST_SUITE_P(Sqlite, DomainContract, ::testing::Values(FreshSqlite));

}  // namespace
}  // namespace business
