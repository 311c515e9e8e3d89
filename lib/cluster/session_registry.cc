#include "lib/cluster/session_registry.h"

#include <openssl/evp.h>

#include <chrono>
#include <utility>

#include "lib/cluster/base32.h"
#include "lib/cluster/concat.h"
#include "lib/cluster/outbox.h"
#include "lib/cluster/outbox_entry.h"
#include "lib/cluster/redis_keys.h"
#include "lib/cluster/session_scripts.h"
#include "lib/runtime/check.h"
#include "lib/runtime/metrics.h"

namespace cluster {
namespace {

using runtime::Error;
using runtime::OneShot;
using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;
using Rows = std::vector<SessionRecord>;

// A reply that is a value, or the error it amounts to.
Result<RedisReply> Checked(RedisClient::Reply reply) {
  if (!reply.has_value() || !reply->IsError()) return reply;
  if (runtime::IsTransient(*reply)) return Error::Unavailable(reply->text);
  return Error::Failed(reply->text);
}

Error Unexpected(const char* script) {
  return Error::Failed(Concat({"unexpected reply of script ", script}));
}

std::optional<SessionRecord> ParseRow(std::string_view resource, std::string_view text) {
  std::optional<SessionRecord> row = SessionRecord::Parse(resource, text);
  if (!row.has_value()) {
    static runtime::Counter& malformed =
        runtime::Metrics::Get().GetCounter("xylem_registry_malformed_rows_total",
                                           "Session rows that could not be read and were skipped");
    malformed.Add();
  }
  return row;
}

// [resource, row, resource, row …]
Rows ParseRows(const RedisReply& reply) {
  Rows rows;
  rows.reserve(reply.array.size() / 2);
  for (size_t i = 0; i + 1 < reply.array.size(); i += 2) {
    std::optional<SessionRecord> row = ParseRow(reply.array[i].text, reply.array[i + 1].text);
    if (row.has_value()) rows.push_back(*std::move(row));
  }
  return rows;
}

SessionRegistry::OwnerCheck CheckRows(const RedisReply& reply, std::string_view resource,
                                      std::string_view owner) {
  SessionRegistry::OwnerCheck check;
  for (size_t i = 0; i + 1 < reply.array.size(); i += 2) {
    const std::string& row = reply.array[i + 1].text;
    if (reply.array[i].text == resource) {
      check.owns = row.starts_with(owner);
    } else if (!check.others_want_copies) {
      const std::optional<SessionRecord> other = ParseRow(reply.array[i].text, row);
      check.others_want_copies = other && (other->flags & kSessionCarbons) != 0;
    }
  }
  return check;
}

// RFC 6120 §7.6: unguessable from outside; the same when the bind is repeated.
std::string MadeUpResource(std::string_view session) {
  std::string input = Concat({"xylem resource ", session});
  char digest[EVP_MAX_MD_SIZE];
  CHECK(EVP_Digest(input.data(), input.size(), reinterpret_cast<unsigned char*>(digest), nullptr,
                   EVP_sha256(), nullptr) == 1);
  return Base32(std::string_view(digest, 10));
}

std::string NowMsText() {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count());
}

Result<BindOutcome> BindOutcomeOf(const RedisReply& reply, const std::string& resource) {
  const std::vector<RedisReply>& parts = reply.array;
  if (parts.empty()) return Unexpected("bind");
  BindOutcome outcome;
  const std::string& word = parts[0].text;
  if (word == "full") {
    outcome.kind = BindOutcome::Kind::kTooManyResources;
    return outcome;
  }
  if (word == "stale") return Error::Failed("a row of a newer generation stands");
  if (parts.size() < 2) return Unexpected("bind");
  std::optional<SessionRecord> row = ParseRow(resource, parts[1].text);
  if (word == "conflict") {
    outcome.kind = BindOutcome::Kind::kConflict;
    if (row.has_value()) outcome.record = *std::move(row);
    return outcome;
  }
  if (word != "bound" || parts.size() < 3 || !row.has_value()) return Unexpected("bind");
  outcome.record = *std::move(row);
  if (!parts[2].text.empty()) outcome.replaced = ParseRow(resource, parts[2].text);
  return outcome;
}

}  // namespace

Task<Result<void>> SessionRegistry::AddToSuperset(const Owner& owner, std::string account) {
  OneShot<RedisClient::Reply> known, added;
  std::string managers = ManagersKey();
  redis_->Command(managers,
                  {"HSETNX", managers, ManagerField(owner.manager, owner.incarnation), NowMsText()},
                  [&](RedisClient::Reply reply) { known.Set(Checked(std::move(reply))); });
  std::string accounts = ManagerAccountsKey(owner.manager, owner.incarnation);
  redis_->Command(accounts, {"SADD", accounts, std::move(account)},
                  [&](RedisClient::Reply reply) { added.Set(Checked(std::move(reply))); });
  RedisClient::Reply first = co_await known;
  RedisClient::Reply second = co_await added;
  if (!first.has_value()) co_return first.error();
  if (!second.has_value()) co_return second.error();
  co_return Result<void>();
}

Task<Result<BindOutcome>> SessionRegistry::Bind(BindRequest request) {
  SessionRecord& record = request.record;
  if (request.resource.empty()) request.resource = MadeUpResource(record.session);
  record.announced_generation = request.generation;
  record.owner.epoch = 0;
  const std::string account = request.account.ToString();
  const std::string tag = AccountTag(account);

  SessionRecordText text = WriteParts(record);
  constexpr size_t kBeforeManager = 2 + 16 + 1;  // "1 <epoch> "
  RedisClient::Args args{
      request.resource,
      text.session,
      HexText(request.generation << kEpochCounterBits).substr(0, 6),
      std::to_string(request.max_resources),
      request.replace ? "1" : "0",
      Concat({std::string_view(text.owner).substr(kBeforeManager), text.session, " "}),
      text.generation,
      Concat({text.presence_number, " ", text.rest}),
  };

  // One connection runs commands in order: then the superset needs no round trip of its own.
  bool pipelined = redis_->KeepsOrder();
  OneShot<Result<void>> listed;
  auto list = [](SessionRegistry* self, Owner owner, std::string bare,
                 OneShot<Result<void>>* done) -> Task<void> {
    Result<void> result = co_await self->AddToSuperset(owner, std::move(bare));
    done->Set(std::move(result));
  };
  runtime::Spawn(list(this, record.owner, account, &listed));
  if (!pipelined) {
    Result<void> first = co_await listed;
    if (!first.has_value()) co_return first.error();
  }
  RedisClient::Args keys{SessionsKey(tag), EpochKey(tag), DoneKey(tag), EndingKey(tag)};
  RedisClient::Reply reply = co_await redis_->Eval(kBindScript, std::move(keys), std::move(args));
  Result<void> superset;
  if (pipelined) superset = co_await listed;
  Result<RedisReply> checked = Checked(std::move(reply));
  if (!checked.has_value()) co_return checked.error();
  for (size_t i = 3; i + 1 < checked->array.size(); i += 2) {
    co_await LeaveHint(account, SessionOfHex(checked->array[i + 1].text), checked->array[i].text,
                       WallClockMs());
  }
  Result<BindOutcome> outcome = BindOutcomeOf(*checked, request.resource);
  if (superset.has_value() || !outcome.has_value() || outcome->kind != BindOutcome::Kind::kBound) {
    co_return outcome;
  }
  // Bound, but the reaper would not find it: list it now, or undo.
  Result<void> again = co_await AddToSuperset(record.owner, account);
  if (again.has_value()) co_return outcome;
  Result<std::optional<SessionRecord>> undone =
      co_await End(request.account, request.resource, outcome->record.owner);
  if (!undone.has_value()) co_return Error::Unknown("bound, but not listed with its manager");
  co_return superset.error();
}

void SessionRegistry::Lookup(const xmpp::BareJid& account,
                             absl::AnyInvocable<void(Result<Rows>)> done) {
  std::string key = SessionsKey(AccountTag(account.ToString()));
  redis_->Command(key, {"HGETALL", key},
                  [done = std::move(done)](RedisClient::Reply reply) mutable {
                    Result<RedisReply> rows = Checked(std::move(reply));
                    if (!rows.has_value()) return done(rows.error());
                    done(ParseRows(*rows));
                  });
}

Task<Result<Rows>> SessionRegistry::Lookup(const xmpp::BareJid& account) {
  OneShot<Result<Rows>> found;
  Lookup(account, [&found](Result<Rows> rows) { found.Set(std::move(rows)); });
  Result<Rows> rows = co_await found;
  co_return rows;
}

void SessionRegistry::CheckOwner(const xmpp::FullJid& full, const Owner& owner,
                                 absl::AnyInvocable<void(Result<OwnerCheck>)> done) {
  std::string key = SessionsKey(AccountTag(full.BareView()));
  // All rows: most accounts have one, and of the others it is asked who wants copies.
  redis_->Command(key, {"HGETALL", key},
                  [text = OwnerText(owner), resource = std::string(full.resource()),
                   done = std::move(done)](RedisClient::Reply reply) mutable {
                    Result<RedisReply> rows = Checked(std::move(reply));
                    if (!rows.has_value()) return done(rows.error());
                    done(CheckRows(*rows, resource, text));
                  });
}

Task<Result<WriteOutcome>> SessionRegistry::Update(const xmpp::BareJid& account,
                                                   SessionRecord record) {
  SessionRecordText text = WriteParts(record);
  RedisClient::Args keys{SessionsKey(AccountTag(account.ToString()))};
  RedisClient::Args args{record.resource, text.owner,           text.session,
                         text.generation, text.presence_number, text.rest};
  RedisClient::Reply reply = co_await redis_->Eval(kUpdateScript, std::move(keys), std::move(args));
  Result<RedisReply> checked = Checked(std::move(reply));
  if (!checked.has_value()) co_return checked.error();
  co_return checked->integer == 1 ? WriteOutcome::kDone : WriteOutcome::kFenced;
}

Task<Result<std::optional<SessionRecord>>> SessionRegistry::End(const xmpp::BareJid& account,
                                                                std::string resource, Owner owner) {
  std::string tag = AccountTag(account.ToString());
  RedisClient::Args keys{SessionsKey(tag), DoneKey(tag), EndingKey(tag)};
  RedisClient::Args args{resource, OwnerText(owner)};
  RedisClient::Reply reply = co_await redis_->Eval(kEndScript, std::move(keys), std::move(args));
  Result<RedisReply> checked = Checked(std::move(reply));
  if (!checked.has_value()) co_return checked.error();
  std::optional<SessionRecord> row;
  if (!checked->IsNil()) row = ParseRow(resource, checked->text);
  if (row && (row->flags & kSessionStreamManagement) != 0) {
    const bool left = co_await LeaveHint(account.ToString(), row->session, resource, WallClockMs());
    if (!left) co_return Error::Unknown("ended, but no hint of its outbox could be left");
  }
  co_return row;
}

Task<bool> SessionRegistry::LeaveHint(std::string account, std::string session,
                                      std::string resource, uint64_t at_ms) {
  OneShot<bool> left;
  Outbox(redis_, {})
      .PutDue({std::move(account), std::move(session), std::move(resource)}, at_ms,
              [&left](bool ok) { left.Set(ok); });
  const bool ok = co_await left;
  co_return ok;
}

Task<Result<SessionRegistry::AnnounceOutcome>> SessionRegistry::Announce(
    const xmpp::BareJid& account, SessionRecord record, uint64_t generation) {
  record.announced_generation = generation;
  const std::string bare = account.ToString();
  Result<void> listed = co_await AddToSuperset(record.owner, bare);
  if (!listed.has_value()) co_return listed.error();

  SessionRecordText text = WriteParts(record);
  std::string tag = AccountTag(bare);
  RedisClient::Args keys{SessionsKey(tag), EpochKey(tag)};
  RedisClient::Args args{record.resource,
                         text.owner,
                         text.session,
                         text.generation,
                         text.presence_number,
                         text.rest,
                         EpochText(record.owner.epoch)};
  RedisClient::Reply reply =
      co_await redis_->Eval(kAnnounceScript, std::move(keys), std::move(args));
  Result<RedisReply> checked = Checked(std::move(reply));
  if (!checked.has_value()) co_return checked.error();
  if (checked->array.size() < 2) co_return Unexpected("announce");
  std::optional<SessionRecord> row = ParseRow(record.resource, checked->array[1].text);
  if (!row.has_value()) co_return Unexpected("announce");
  AnnounceOutcome outcome;
  outcome.outcome = checked->array[0].text == "done" ? WriteOutcome::kDone : WriteOutcome::kFenced;
  outcome.record = *std::move(row);
  co_return outcome;
}

Task<Result<Rows>> SessionRegistry::EndRows(std::string account, std::string manager,
                                            uint64_t incarnation, std::string generation) {
  std::string tag = AccountTag(account);
  RedisClient::Args keys{SessionsKey(tag), DoneKey(tag), EndingKey(tag)};
  RedisClient::Args args{ManagerWord(manager), HexText(incarnation), std::move(generation),
                         OutboxStateKey(tag, "")};
  RedisClient::Reply reply = co_await redis_->Eval(kEndAllScript, std::move(keys), std::move(args));
  Result<RedisReply> checked = Checked(std::move(reply));
  if (!checked.has_value()) co_return checked.error();
  if (checked->array.size() != 2) co_return Unexpected("end_all");
  Rows rows = ParseRows(checked->array[0]);
  bool hinted = true;
  for (const SessionRecord& row : rows) {
    if ((row.flags & kSessionStreamManagement) == 0) continue;
    const bool left = co_await LeaveHint(account, row.session, row.resource, WallClockMs());
    hinted = hinted && left;
  }
  const std::vector<RedisReply>& asleep = checked->array[1].array;
  for (size_t i = 0; i + 2 < asleep.size(); i += 3) {
    const bool left = co_await LeaveHint(account, SessionOfHex(asleep[i + 1].text), asleep[i].text,
                                         strtoull(asleep[i + 2].text.c_str(), nullptr, 10));
    hinted = hinted && left;
  }
  if (!hinted) co_return Error::Unknown("ended, but not every hint could be left");
  co_return rows;
}

Task<Result<Rows>> SessionRegistry::EndAllOf(const xmpp::BareJid& account, std::string manager,
                                             uint64_t incarnation) {
  return EndRows(account.ToString(), std::move(manager), incarnation, "");
}

Task<Result<Rows>> SessionRegistry::SweepAccount(const xmpp::BareJid& account, std::string manager,
                                                 uint64_t incarnation, uint64_t generation) {
  return EndRows(account.ToString(), std::move(manager), incarnation, HexText(generation));
}

Task<Result<uint64_t>> SessionRegistry::Version(const xmpp::BareJid& account) {
  OneShot<Result<uint64_t>> version;
  Version(account, [&version](Result<uint64_t> answer) { version.Set(std::move(answer)); });
  Result<uint64_t> answer = co_await version;
  co_return answer;
}

void SessionRegistry::Version(const xmpp::BareJid& account,
                              absl::AnyInvocable<void(Result<uint64_t>)> done) {
  std::string key = VersionKey(AccountTag(account.ToString()));
  redis_->Command(key, {"GET", key}, [done = std::move(done)](RedisClient::Reply reply) mutable {
    Result<RedisReply> checked = Checked(std::move(reply));
    if (!checked.has_value()) return done(checked.error());
    done(checked->IsNil() ? 0 : strtoull(checked->text.c_str(), nullptr, 10));
  });
}

Task<Result<uint64_t>> SessionRegistry::RaiseVersion(const xmpp::BareJid& account) {
  RedisClient::Args keys{VersionKey(AccountTag(account.ToString()))};
  RedisClient::Reply reply = co_await redis_->Eval(kRaiseVersionScript, std::move(keys), {});
  Result<RedisReply> checked = Checked(std::move(reply));
  if (!checked.has_value()) co_return checked.error();
  co_return strtoull(checked->text.c_str(), nullptr, 10);
}

}  // namespace cluster
