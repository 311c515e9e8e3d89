// OwnerStore on SQLite, and how the other stores find an owner's number.
#pragma once

#include <optional>
#include <string_view>

#include "business/store/owner_store.h"
#include "business/store/sqlite_database.h"

namespace business {

class SqliteOwnerStore : public OwnerStore {
 public:
  SqliteOwnerStore(SqliteDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<Put>> Add(xmpp::Jid owner) override;
  runtime::Task<runtime::Result<Put>> Remove(xmpp::Jid owner) override;

 private:
  SqliteDatabase* const database_;
  runtime::EventLoop* const loop_;
};

// nullopt: it owns nothing.
runtime::Result<std::optional<int64_t>> FindOwner(SqliteConnection& connection,
                                                  std::string_view jid);

}  // namespace business
