// AccountStore on an SQL engine.
#pragma once

#include "business/store/account_store.h"
#include "business/store/sql_database.h"

namespace business {

class SqlAccountStore : public AccountStore {
 public:
  SqlAccountStore(SqlDatabase* database, runtime::EventLoop* loop)
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
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
