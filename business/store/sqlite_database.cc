#include "business/store/sqlite_database.h"

#include <sys/vfs.h>

#include "business/store/sqlite_schema.h"
#include "business/store/write_turn.h"

namespace business {
namespace {

using runtime::Error;

// SQLite's locks do not hold between hosts; another host's process would corrupt the file.
bool OnNetwork(const std::string& path) {
  struct statfs fs {};
  if (statfs(path.c_str(), &fs) != 0) return false;
  switch (static_cast<uint32_t>(fs.f_type)) {
    case 0x6969:      // NFS
    case 0x517b:      // SMB
    case 0xff534d42:  // CIFS
    case 0xfe534d42:  // SMB2
    case 0x00c36400:  // Ceph
    case 0x5346414f:  // AFS
    case 0x01021997:  // 9p
      return true;
    default:
      return false;
  }
}

}  // namespace

runtime::Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(Options options) {
  // Processes that start together do so one after the other: turning WAL on and migrating do not
  // wait for locks as other statements do.
  WriteTurn turn(options.path + "-turn");
  if (!turn.Take(options.patience)) return Error::Failed(turn.error());
  auto writing = SqliteConnection::Open({.path = options.path});
  if (!writing) return writing.error();
  if (OnNetwork(options.path)) {
    return Error::Failed(options.path +
                         ": SQLite cannot be used on a network file system; use PostgreSQL");
  }
  const runtime::Result<void> migrated = Migrate(**writing, StoreMigrations());
  if (!migrated) return Error::Failed(options.path + ": " + migrated.error().message);
  auto reading = SqliteConnection::Open({.path = options.path, .read_only = true});
  if (!reading) return reading.error();

  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(std::move(options)));
  const Options& o = database->options_;
  database->reader_ = std::make_unique<StoreReader>(o.path, o.queue, std::move(*reading));
  database->writer_ =
      std::make_unique<GroupCommitter>(GroupCommitter::Options{.path = o.path,
                                                               .queue = {.delay = o.commit_delay,
                                                                         .batch = o.commit_batch,
                                                                         .most = o.queue,
                                                                         .patience = o.patience}},
                                       std::move(*writing));
  return database;
}

}  // namespace business
