// AccountStore on SQLite.
#pragma once

#include "business/store/account_store.h"
#include "business/store/sqlite_database.h"

namespace business {

class SqliteAccountStore : public AccountStore {
 public:
  SqliteAccountStore(SqliteDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<std::optional<Account>>> Find(xmpp::BareJid jid) override;
  runtime::Task<runtime::Result<Put>> Add(Account account) override;
  runtime::Task<runtime::Result<Put>> SetKeys(xmpp::BareJid jid,
                                              std::vector<xmpp::sasl::ScramKeys> keys) override;
  runtime::Task<runtime::Result<Put>> SetLocked(xmpp::BareJid jid, bool locked) override;
  runtime::Task<runtime::Result<Put>> Remove(xmpp::BareJid jid) override;
  runtime::Task<runtime::Result<std::vector<Account>>> List(std::string domain, std::string after,
                                                            uint32_t limit) override;

 private:
  SqliteDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
