// OwnerStore on an SQL engine, and how the other stores find an owner's number.
#pragma once

#include <optional>
#include <string_view>

#include "business/store/owner_store.h"
#include "business/store/sql_database.h"

namespace business {

class SqlOwnerStore : public OwnerStore {
 public:
  SqlOwnerStore(SqlDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<Put>> Add(xmpp::Jid owner) override;
  runtime::Task<runtime::Result<Put>> Remove(xmpp::Jid owner) override;

 private:
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;
};

// nullopt: it owns nothing.
runtime::Result<std::optional<int64_t>> FindOwner(SqlConnection& connection, std::string_view jid);

}  // namespace business
