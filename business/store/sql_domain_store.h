// DomainStore on an SQL engine.
#pragma once

#include "business/store/domain_store.h"
#include "business/store/sql_database.h"

namespace business {

class SqlDomainStore : public DomainStore {
 public:
  SqlDomainStore(SqlDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<DomainList>> List() override;
  runtime::Task<runtime::Result<Put>> Add(Domain domain) override;
  runtime::Task<runtime::Result<Put>> SetSettings(std::string name, std::string settings) override;
  runtime::Task<runtime::Result<Put>> Remove(std::string name) override;

 private:
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
