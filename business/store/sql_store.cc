#include "business/store/sql_store.h"

#include "business/store/sql_account_data_store.h"
#include "business/store/sql_account_store.h"
#include "business/store/sql_archive_store.h"
#include "business/store/sql_domain_store.h"
#include "business/store/sql_generation_store.h"
#include "business/store/sql_offline_store.h"
#include "business/store/sql_owner_store.h"
#include "business/store/sql_pubsub_store.h"
#include "business/store/sql_roster_store.h"

namespace business {

using runtime::EventLoop;

std::unique_ptr<AccountStore> SqlStore::Accounts(EventLoop* loop) {
  return std::make_unique<SqlAccountStore>(database(), loop);
}

std::unique_ptr<cluster::GenerationStore> SqlStore::Generations(EventLoop* loop) {
  return std::make_unique<SqlGenerationStore>(database(), loop);
}

std::unique_ptr<OwnerStore> SqlStore::Owners(EventLoop* loop) {
  return std::make_unique<SqlOwnerStore>(database(), loop);
}

std::unique_ptr<RosterStore> SqlStore::Rosters(EventLoop* loop) {
  return std::make_unique<SqlRosterStore>(database(), loop);
}

std::unique_ptr<OfflineStore> SqlStore::Offline(EventLoop* loop) {
  return std::make_unique<SqlOfflineStore>(database(), loop);
}

std::unique_ptr<ArchiveStore> SqlStore::Archives(EventLoop* loop) {
  return std::make_unique<SqlArchiveStore>(database(), loop);
}

std::unique_ptr<AccountDataStore> SqlStore::AccountData(EventLoop* loop) {
  return std::make_unique<SqlAccountDataStore>(database(), loop);
}

std::unique_ptr<PubsubStore> SqlStore::Pubsub(EventLoop* loop) {
  return std::make_unique<SqlPubsubStore>(database(), loop);
}

std::unique_ptr<DomainStore> SqlStore::Domains(EventLoop* loop) {
  return std::make_unique<SqlDomainStore>(database(), loop);
}

}  // namespace business
