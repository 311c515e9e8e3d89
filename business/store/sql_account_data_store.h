// AccountDataStore on an SQL engine.
#pragma once

#include "business/store/account_data_store.h"
#include "business/store/sql_database.h"

namespace business {

class SqlAccountDataStore : public AccountDataStore {
 public:
  SqlAccountDataStore(SqlDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<std::optional<std::string>>> Find(xmpp::Jid owner, DataType type,
                                                                  std::string key) override;
  runtime::Task<runtime::Result<DataCollection>> List(xmpp::Jid owner, DataType type) override;
  runtime::Task<runtime::Result<DataChanged>> Change(xmpp::Jid owner, DataType type,
                                                     DataChange change) override;

 private:
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
