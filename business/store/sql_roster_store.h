// RosterStore on an SQL engine.
#pragma once

#include "business/store/roster_store.h"
#include "business/store/sql_database.h"

namespace business {

class SqlRosterStore : public RosterStore {
 public:
  SqlRosterStore(SqlDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<Roster>> Load(xmpp::BareJid account) override;
  runtime::Task<runtime::Result<RosterEntry>> Find(xmpp::BareJid account,
                                                   xmpp::Jid contact) override;
  runtime::Task<runtime::Result<RosterChanges>> Since(xmpp::BareJid account,
                                                      int64_t version) override;
  runtime::Task<runtime::Result<RosterUpdate>> Update(xmpp::BareJid account, xmpp::Jid contact,
                                                      RosterTransition transition,
                                                      RosterUpdateOptions options) override;

 private:
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;
};

}  // namespace business
