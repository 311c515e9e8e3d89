#include "business/store/postgres_archive_store.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "business/store/postgres_connection.h"
#include "business/store/sql_archive_rows.h"

namespace business {

using runtime::Error;
using runtime::Result;
using runtime::Task;

namespace {

using Places = std::vector<ArchivePlace>;
using Outcome = ArchivePlace::Outcome;
using Texts = std::vector<std::optional<std::string_view>>;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// All entries of a batch: a few statements, however many they are. The owners' rows are locked
// (PostgresCommitter), so that what is read here holds until COMMIT.
class ArchiveBatch {
 public:
  explicit ArchiveBatch(PostgresConnection& connection) : connection_(connection) {}

  void Add(const ArchiveEntry& entry, ArchivePlace* place) { rows_.push_back({&entry, place}); }

  bool Run() {
    if (!Look() || !MakeMissing()) return false;
    for (Row& row : rows_) Place(row);
    InsertRows();
    return UpdateArchives();
  }

 private:
  struct Row {
    const ArchiveEntry* entry;
    ArchivePlace* place;
    int64_t archive = 0;  // 0: not to be inserted
  };
  struct Archive {
    int64_t owner = 0;
    ArchiveRecord record;
    bool changed = false;
    int64_t first_stamp = 0;  // of what is inserted
  };

  // One round trip: the archives, and which effects they hold already.
  bool Look() {
    std::set<std::string_view> distinct;
    Texts owners, all_owners, effects;
    for (const Row& row : rows_) {
      distinct.insert(row.entry->owner.BareView());
      all_owners.emplace_back(row.entry->owner.BareView());
      effects.emplace_back(row.entry->effect);
    }
    owners.assign(distinct.begin(), distinct.end());
    PostgresStatement& archives = connection_.Statement(
        "SELECT o.jid, o.id, a.id, a.position, a.stamp, a.mark FROM owner o "
        "LEFT JOIN archive a ON a.owner = o.id WHERE o.jid = ANY (?1)");
    archives.BindTexts(1, owners);
    PostgresStatement& repeats = connection_.Statement(
        "SELECT w.jid, w.effect, r.id, r.stamp FROM unnest(?1, ?2) AS w (jid, effect) "
        "JOIN owner o ON o.jid = w.jid JOIN archive a ON a.owner = o.id "
        "JOIN archive_row r ON r.archive = a.id AND r.effect = w.effect");
    repeats.BindTexts(1, all_owners);
    repeats.BindBlobs(2, effects);
    SqlQuery archive(&archives), repeat(&repeats);
    archive.Send();
    repeat.Send();
    while (archive.Step()) {
      archives_[archive.Text(0)] = {.owner = archive.Int(1),
                                    .record = {.id = archive.Int(2),
                                               .position = archive.Int(3),
                                               .stamp = archive.Int(4),
                                               .mark = archive.Int(5)}};
    }
    while (repeat.Step()) {
      there_[{repeat.Text(0), repeat.Text(1)}] = {.outcome = Outcome::kRepeated,
                                                  .position = PositionOf(repeat.Int(2)),
                                                  .stamp_ms = repeat.Int(3)};
    }
    return archive.ok() && repeat.ok();
  }

  bool MakeMissing() {
    std::map<int64_t, Archive*> missing;
    std::vector<int64_t> owners;
    for (auto& [jid, archive] : archives_) {
      if (archive.record.id != 0) continue;
      missing[archive.owner] = &archive;
      owners.push_back(archive.owner);
    }
    if (owners.empty()) return true;
    PostgresStatement& insert = connection_.Statement(
        "INSERT INTO archive (owner, position, stamp, mark, indexed) "
        "SELECT owner, 0, 0, 0, 0 FROM unnest(?1) AS w (owner) RETURNING owner, id");
    insert.BindInts(1, owners);
    SqlQuery row(&insert);
    while (row.Step()) missing[row.Int(0)]->record.id = row.Int(1);
    return row.ok();
  }

  void Place(Row& row) {
    const ArchiveEntry& entry = *row.entry;
    const auto found = archives_.find(std::string(entry.owner.BareView()));
    if (found == archives_.end()) {
      *row.place = {.outcome = Outcome::kNoOwner};
      return;
    }
    const auto [known, is_new] = there_.try_emplace({found->first, entry.effect});
    if (!is_new) {
      *row.place = known->second;
      return;
    }
    ArchiveRecord& record = found->second.record;
    const bool confirmed =
        entry.direction == ArchiveDirection::kOutgoing && record.mark == record.position;
    record.position += 1;
    record.stamp = std::max(record.stamp, entry.stamp_ms != 0 ? entry.stamp_ms : NowMs());
    // Nothing unconfirmed behind an outgoing row: the mark goes along.
    if (confirmed) record.mark = record.position;
    if (!found->second.changed) found->second.first_stamp = record.stamp;
    found->second.changed = true;
    row.archive = record.id;
    *row.place = {.position = record.position, .stamp_ms = record.stamp};
    known->second = *row.place;
    known->second.outcome = Outcome::kRepeated;
  }

  void InsertRows() {
    std::vector<int64_t> ids, archives, stamps, incoming, hidden, flags;
    Texts effects, bares, resources, origins, origin_ids, bodies, bytes;
    for (const Row& row : rows_) {
      if (row.archive == 0) continue;
      const ArchiveEntry& entry = *row.entry;
      ids.push_back(ArchiveRecord{.id = row.archive}.RowId(row.place->position));
      archives.push_back(row.archive);
      stamps.push_back(row.place->stamp_ms);
      incoming.push_back(entry.direction == ArchiveDirection::kIncoming);
      hidden.push_back(entry.hidden);
      flags.push_back(entry.flags & ~kArchiveTombstone);
      effects.emplace_back(entry.effect);
      bares.emplace_back(entry.with.BareView());
      resources.emplace_back(entry.with.resource());
      origins.emplace_back(entry.origin);
      origin_ids.emplace_back(entry.origin_id);
      // A hidden row is in no answer: it needs no words.
      const bool searched = !entry.hidden && !entry.body.empty();
      bodies.push_back(searched ? std::optional<std::string_view>(entry.body) : std::nullopt);
      bytes.emplace_back(entry.bytes);
    }
    if (ids.empty()) return;
    PostgresStatement& insert = connection_.Statement(
        "INSERT INTO archive_row (id, archive, stamp, incoming, hidden, flags, effect, with_bare, "
        "with_resource, origin, origin_id, body, bytes) "
        "SELECT * FROM unnest(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
    insert.BindInts(1, ids);
    insert.BindInts(2, archives);
    insert.BindInts(3, stamps);
    insert.BindInts(4, incoming);
    insert.BindInts(5, hidden);
    insert.BindInts(6, flags);
    insert.BindBlobs(7, effects);
    insert.BindTexts(8, bares);
    insert.BindTexts(9, resources);
    insert.BindBlobs(10, origins);
    insert.BindTexts(11, origin_ids);
    insert.BindTexts(12, bodies);
    insert.BindBlobs(13, bytes);
    SqlQuery(&insert).Send();
  }

  bool UpdateArchives() {
    std::vector<int64_t> ids, positions, stamps, marks, oldest;
    for (const auto& [jid, archive] : archives_) {
      if (!archive.changed) continue;
      ids.push_back(archive.record.id);
      positions.push_back(archive.record.position);
      stamps.push_back(archive.record.stamp);
      marks.push_back(archive.record.mark);
      oldest.push_back(archive.first_stamp);
    }
    if (ids.empty()) return true;
    PostgresStatement& update = connection_.Statement(
        "UPDATE archive a SET position = w.position, stamp = w.stamp, mark = w.mark, "
        "oldest = coalesce(a.oldest, w.oldest) FROM unnest(?1, ?2, ?3, ?4, ?5) "
        "AS w (id, position, stamp, mark, oldest) WHERE a.id = w.id");
    update.BindInts(1, ids);
    update.BindInts(2, positions);
    update.BindInts(3, stamps);
    update.BindInts(4, marks);
    update.BindInts(5, oldest);
    return SqlQuery(&update).Send();
  }

  PostgresConnection& connection_;
  std::vector<Row> rows_;
  std::map<std::string, Archive, std::less<>> archives_;               // by owner
  std::map<std::pair<std::string, std::string>, ArchivePlace> there_;  // by owner and effect
};

class ArchiveInsert : public StoreOperation {
 public:
  using Answered = std::shared_ptr<runtime::OneShot<Result<Places>>>;

  ArchiveInsert(runtime::EventLoop* asked_on, StoreOwners owned, std::vector<ArchiveEntry> entries,
                Answered answered)
      : StoreOperation(asked_on, std::move(owned)),
        entries_(std::move(entries)),
        answered_(std::move(answered)) {}

  const void* kind() const override {
    static const char kind = 0;
    return &kind;
  }
  bool Run(SqlConnection& connection) override {
    StoreOperation* const self = this;
    return RunTogether(connection, {&self, 1});
  }
  bool RunTogether(SqlConnection& connection, std::span<StoreOperation* const> all) override {
    ArchiveBatch batch(static_cast<PostgresConnection&>(connection));
    for (StoreOperation* one : all) {
      auto* insert = static_cast<ArchiveInsert*>(one);  // of this kind
      insert->error_.reset();
      insert->places_.assign(insert->entries_.size(), {});
      for (size_t i = 0; i < insert->entries_.size(); ++i) {
        batch.Add(insert->entries_[i], &insert->places_[i]);
      }
    }
    return batch.Run();
  }
  bool failed() const override { return error_.has_value(); }
  void Fail(const Error& error) override {
    if (!error_) error_ = error;
  }
  void Answer() override {
    answered_->Set(error_ ? Result<Places>(*error_) : Result<Places>(std::move(places_)));
  }

 private:
  const std::vector<ArchiveEntry> entries_;
  Answered answered_;
  Places places_;
  std::optional<Error> error_;
};

}  // namespace

Task<Result<Places>> PostgresArchiveStore::Insert(std::vector<ArchiveEntry> entries) {
  StoreOwners owners;
  for (const ArchiveEntry& entry : entries) owners.emplace_back(entry.owner.BareView());
  auto answered = std::make_shared<runtime::OneShot<Result<Places>>>();
  database_->Submit(
      SqlDatabase::Kind::kWrite,
      std::make_unique<ArchiveInsert>(loop_, std::move(owners), std::move(entries), answered));
  auto& answer = *answered;  // g++ 12 copies what `co_await *x` names
  Result<Places> places = co_await answer;
  co_return places;
}

}  // namespace business
