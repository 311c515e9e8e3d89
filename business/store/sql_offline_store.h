// OfflineStore on an SQL engine.
#pragma once

#include "business/store/offline_store.h"
#include "business/store/sql_database.h"

namespace business {

class SqlOfflineStore : public OfflineStore {
 public:
  SqlOfflineStore(SqlDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<Append>> Add(xmpp::BareJid account, OfflineMessage message,
                                             OfflineLimits limits) override;
  runtime::Task<runtime::Result<std::vector<OfflineMessage>>> Read(xmpp::BareJid account,
                                                                   int64_t after,
                                                                   uint32_t limit) override;
  runtime::Task<runtime::Result<OfflineCount>> Count(xmpp::BareJid account) override;
  runtime::Task<runtime::Result<uint32_t>> RemoveUpTo(xmpp::BareJid account,
                                                      int64_t number) override;
  runtime::Task<runtime::Result<uint32_t>> Remove(xmpp::BareJid account,
                                                  std::vector<std::string> effects) override;

 private:
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
