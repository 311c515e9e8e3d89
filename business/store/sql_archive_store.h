// ArchiveStore on an SQL engine.
#pragma once

#include "business/store/archive_store.h"
#include "business/store/sql_database.h"

namespace business {

class SqlArchiveStore : public ArchiveStore {
 public:
  SqlArchiveStore(SqlDatabase* database, runtime::EventLoop* loop)
      : database_(database), loop_(loop) {}

  runtime::Task<runtime::Result<std::vector<ArchivePlace>>> Insert(
      std::vector<ArchiveEntry> entries) override;
  runtime::Task<runtime::Result<ArchivePage>> Query(xmpp::Jid owner, ArchiveQuery query) override;
  runtime::Task<runtime::Result<ArchiveEnds>> Ends(xmpp::Jid owner) override;
  runtime::Task<runtime::Result<std::optional<ArchiveRow>>> FindByOriginId(
      xmpp::Jid owner, xmpp::Jid with, ArchiveDirection direction, std::string origin_id) override;
  runtime::Task<runtime::Result<Change>> Replace(xmpp::Jid owner, ArchiveId id,
                                                 std::string bytes) override;
  runtime::Task<runtime::Result<ArchiveState>> State(xmpp::Jid owner) override;
  runtime::Task<runtime::Result<uint32_t>> RaiseMarks(std::vector<ArchiveMark> marks) override;
  runtime::Task<runtime::Result<std::vector<ArchiveRow>>> Unconfirmed(xmpp::Jid owner,
                                                                      int64_t position,
                                                                      uint32_t limit) override;
  runtime::Task<runtime::Result<std::optional<ArchivePreferences>>> Preferences(
      xmpp::Jid owner) override;
  runtime::Task<runtime::Result<Put>> SetPreferences(xmpp::Jid owner,
                                                     ArchivePreferences preferences) override;
  runtime::Task<runtime::Result<Change>> Erase(xmpp::Jid owner) override;
  runtime::Task<runtime::Result<uint32_t>> Sweep(int64_t before_ms, uint32_t limit) override;

 protected:
  SqlDatabase* const database_;
  runtime::EventLoop* const loop_;

 private:
  runtime::Task<runtime::Result<bool>> IndexText(std::string owner);
};

}  // namespace business
