// PostgreSQL passes every contract.
#include "tests/business/store/account_data_store_contract.h"
#include "tests/business/store/account_store_contract.h"
#include "tests/business/store/archive_store_contract.h"
#include "tests/business/store/domain_store_contract.h"
#include "tests/business/store/offline_store_contract.h"
#include "tests/business/store/owner_contract.h"
#include "tests/business/store/postgres_server.h"
#include "tests/business/store/pubsub_store_contract.h"
#include "tests/business/store/roster_store_contract.h"

namespace business {
namespace {

std::string FreshPostgres() {
  static PostgresServer* server = new PostgresServer();  // ended at exit
  static const bool registered = [] { return atexit([] { delete server; }) == 0; }();
  (void)registered;
  return server->FreshUrl();
}

INSTANTIATE_TEST_SUITE_P(Postgres, StoreContract, ::testing::Values(FreshPostgres));
INSTANTIATE_TEST_SUITE_P(Postgres, OwnerContract, ::testing::Values(FreshPostgres));
INSTANTIATE_TEST_SUITE_P(Postgres, RosterContract, ::testing::Values(FreshPostgres));
INSTANTIATE_TEST_SUITE_P(Postgres, OfflineContract, ::testing::Values(FreshPostgres));
INSTANTIATE_TEST_SUITE_P(Postgres, ArchiveContract, ::testing::Values(FreshPostgres));
INSTANTIATE_TEST_SUITE_P(Postgres, AccountDataContract, ::testing::Values(FreshPostgres));
INSTANTIATE_TEST_SUITE_P(Postgres, PubsubContract, ::testing::Values(FreshPostgres));
INSTANTIATE_TEST_SUITE_P(Postgres, DomainContract, ::testing::Values(FreshPostgres));

}  // namespace
}  // namespace business
