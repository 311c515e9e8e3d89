#include "lib/cluster/outbox.h"

#include <functional>
#include <utility>

#include "lib/cluster/concat.h"
#include "lib/cluster/outbox_entry.h"
#include "lib/cluster/outbox_scripts.h"
#include "lib/cluster/redis_keys.h"

namespace cluster {
namespace {

using runtime::Error;
using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;

// Effects that the server makes of its own accord have no origin that would commit: they are
// remembered by time.
constexpr uint64_t kServerEffectsMs = 600000;
constexpr const char* kServer = "server";

Result<RedisReply> Checked(RedisClient::Reply reply) {
  if (!reply.has_value() || !reply->IsError()) return reply;
  if (runtime::IsTransient(*reply)) return Error::Unavailable(reply->text);
  return Error::Failed(reply->text);
}

Error Unexpected(const char* script) {
  return Error::Failed(Concat({"unexpected reply of script ", script}));
}

uint64_t Number(const RedisReply& reply) {
  if (reply.kind == RedisReply::Kind::kInteger) return static_cast<uint64_t>(reply.integer);
  return strtoull(reply.text.c_str(), nullptr, 10);
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

// Of one session: the keys that scripts take together.
struct Keys {
  Keys(std::string_view account, std::string_view session) : tag(AccountTag(account)) {
    const std::string hex = HexBytes(session);
    out = OutboxKey(tag, hex);
    sm = OutboxStateKey(tag, hex);
    shown = OutboxShownKey(tag, hex);
  }
  std::string sessions() const { return SessionsKey(tag); }
  const std::string tag;
  std::string out, sm, shown;
};

AppendResult::Outcome OutcomeOf(std::string_view word) {
  using Outcome = AppendResult::Outcome;
  if (word == "ok") return Outcome::kAppended;
  if (word == "full") return Outcome::kFull;
  if (word == "seen") return Outcome::kSeen;
  if (word == "over") return Outcome::kOver;
  return Outcome::kGone;
}

std::string Member(const Outbox::Due& due) {
  return Concat({due.account, "\n", HexBytes(due.session), "\n", due.resource});
}

}  // namespace

int DueBucket(const std::string& account) {
  // The same in every process.
  uint64_t hash = 14695981039346656037u;
  for (char c : account) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return static_cast<int>(hash % kDueBuckets);
}

uint64_t WallClockMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

void Outbox::Append(const xmpp::BareJid& account, const OutboxOrigin& origin,
                    const OutboxEntry& entry, const std::vector<OutboxTarget>& targets,
                    Appended done) {
  const std::string tag = AccountTag(account.ToString());
  const bool server = origin.session.empty();
  const uint64_t now = server ? WallClockMs() : 0;
  const bool presence = entry.stanza_class == OutboxEntry::kPresenceClass;
  const std::string_view from = presence ? FromOf(entry.body) : std::string_view();
  RedisClient::Args keys{SessionsKey(tag),
                         SeenKey(tag, server ? kServer : HexBytes(origin.session)),
                         SeenKey(tag, kServer)};
  RedisClient::Args args{
      entry.effect,
      // Presence without `from` tells nothing that a later one could supersede.
      presence && from.empty() ? "4" : std::to_string(entry.stanza_class),
      std::string(from),
      EntryFront(entry),
      entry.body,
      std::to_string(server ? now : origin.number),
      std::to_string(server ? now - kServerEffectsMs : origin.committed),
      std::to_string(limits_.remember.count()),
      std::to_string(limits_.stanzas),
      std::to_string(limits_.bytes),
      server         ? kServer
      : origin.again ? "again"
                     : "",
      HexText(generation_)};
  if (presence && from.empty()) args[3][0] = '4';
  keys.reserve(3 + 3 * targets.size());
  for (const OutboxTarget& target : targets) {
    const std::string hex = HexBytes(target.session);
    keys.push_back(OutboxKey(tag, hex));
    keys.push_back(OutboxStateKey(tag, hex));
    keys.push_back(OutboxShownKey(tag, hex));
    args.push_back(target.resource);
    args.push_back(hex);
    args.push_back(Concat({target.others, " ", target.to}));
  }
  redis_->Eval(kAppendScript, std::move(keys), std::move(args),
               [n = targets.size(), done = std::move(done)](RedisClient::Reply reply) mutable {
                 Result<RedisReply> answer = Checked(std::move(reply));
                 if (!answer) return done(answer.error());
                 if (answer->array.size() != 2 * n) return done(Unexpected("append"));
                 std::vector<AppendResult> results(n);
                 for (size_t i = 0; i < n; ++i) {
                   results[i] = {OutcomeOf(answer->array[2 * i].text),
                                 Number(answer->array[2 * i + 1])};
                 }
                 done(std::move(results));
               });
}

Task<Result<bool>> Outbox::WasSeen(xmpp::BareJid account, OutboxOrigin origin,
                                   std::string effect) {
  const std::string tag = AccountTag(account.ToString());
  RedisClient::Args keys{SeenKey(tag, HexBytes(origin.session)), SeenKey(tag, kServer)};
  RedisClient::Args args{std::move(effect), std::to_string(origin.number)};
  RedisClient::Reply reply = co_await redis_->Eval(kSeenScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  co_return answer->integer == 1;
}

void Outbox::CommitTo(const xmpp::FullJid& full, const SessionRecord& row, uint64_t in_seq,
                      uint64_t confirmed,
                      absl::AnyInvocable<void(Result<Commit>)> done) {
  const Keys k(full.BareView(), row.session);
  redis_->Eval(kCommitScript, {k.sessions(), k.out, k.sm, k.shown},
               {row.resource, OwnerText(row.owner), in_seq == 0 ? "" : std::to_string(in_seq),
                confirmed == 0 ? "" : std::to_string(confirmed)},
               [done = std::move(done)](RedisClient::Reply reply) mutable {
                 Result<RedisReply> answer = Checked(std::move(reply));
                 if (!answer) return done(answer.error());
                 done(answer->integer == 1   ? Commit::kDone
                      : answer->integer == 2 ? Commit::kNoOutbox
                                             : Commit::kFenced);
               });
}

Task<Result<bool>> Outbox::Enable(xmpp::FullJid full, SessionRecord row, uint64_t in_seq,
                                  std::chrono::milliseconds resumption) {
  const Keys k(full.BareView(), row.session);
  RedisClient::Args keys{k.sessions(), k.sm};
  RedisClient::Args args{row.resource, OwnerText(row.owner), std::to_string(in_seq),
                         std::to_string(resumption.count())};
  RedisClient::Reply reply =
      co_await redis_->Eval(kEnableScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  co_return answer->integer == 1;
}

Task<Result<Outbox::Hibernation>> Outbox::Hibernate(xmpp::FullJid full, SessionRecord row,
                                                    std::chrono::milliseconds at_most) {
  // The hint first: a hibernated session that nobody looks at would stay for ever.
  runtime::OneShot<bool> put;
  PutDue({std::string(full.BareView()), row.session, row.resource},
         WallClockMs() + static_cast<uint64_t>(at_most.count()), [&put](bool ok) { put.Set(ok); });
  const bool hinted = co_await put;
  if (!hinted) co_return Error::Unavailable("no hint could be left");
  const Keys k(full.BareView(), row.session);
  RedisClient::Args keys{k.sessions(), k.sm};
  RedisClient::Args args{row.resource, OwnerText(row.owner)};
  RedisClient::Reply reply =
      co_await redis_->Eval(kHibernateScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  if (answer->array.empty()) co_return Unexpected("hibernate");
  const int64_t word = answer->array[0].integer;
  co_return word == 1   ? Hibernation::kDone
            : word == 2 ? Hibernation::kNotResumable
                        : Hibernation::kFenced;
}

Task<Result<ResumeOutcome>> Outbox::Resume(ResumeRequest request) {
  const Keys k(request.account.ToString(), request.row.session);
  constexpr size_t kBeforeManager = 2 + 16 + 1;  // "1 <epoch> "
  RedisClient::Args keys{k.sessions(), EpochKey(k.tag), k.out,
                         k.sm,         k.shown,         DirectedKey(k.tag)};
  RedisClient::Args args{request.row.resource,
                         HexBytes(request.row.session),
                         HexText(request.generation << kEpochCounterBits).substr(0, 6),
                         OwnerText(request.owner).substr(kBeforeManager),
                         std::to_string(request.h),
                         HexText(request.generation)};
  RedisClient::Reply reply =
      co_await redis_->Eval(kResumeScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  const std::vector<RedisReply>& parts = answer->array;
  if (parts.empty()) co_return Unexpected("resume");
  ResumeOutcome outcome;
  const std::string& word = parts[0].text;
  if (word == "stale") co_return Error::Failed("a row of a newer generation stands");
  if (word == "gone") co_return outcome;
  if (parts.size() >= 2 && (word == "high" || word == "low")) {
    outcome.kind =
        word == "high" ? ResumeOutcome::Kind::kTooHigh : ResumeOutcome::Kind::kTooLow;
    outcome.last = Number(parts[1]);
    co_return outcome;
  }
  if (word != "resumed" || parts.size() < 9) co_return Unexpected("resume");
  auto now = SessionRecord::Parse(request.row.resource, parts[1].text);
  auto before = SessionRecord::Parse(request.row.resource, parts[2].text);
  if (!now || !before) co_return Unexpected("resume");
  outcome.kind = ResumeOutcome::Kind::kResumed;
  outcome.record = *std::move(now);
  outcome.before = *std::move(before);
  outcome.committed = Number(parts[3]);
  outcome.base = Number(parts[4]);
  outcome.confirmed = Number(parts[5]);
  outcome.last = outcome.confirmed + Number(parts[6]);
  outcome.directed = Lines(parts[7].text);
  outcome.resumption = std::chrono::milliseconds(Number(parts[8]));
  co_return outcome;
}

Task<Result<std::optional<Outbox::Announced>>> Outbox::Announce(
    xmpp::FullJid full, SessionRecord row, uint64_t accepted, uint64_t written,
    uint64_t base, std::chrono::milliseconds resumption) {
  const Keys k(full.BareView(), row.session);
  RedisClient::Args keys{k.sessions(), k.sm, k.out, k.shown};
  RedisClient::Args args{row.resource,
                         OwnerText(row.owner),
                         std::to_string(accepted),
                         std::to_string(written),
                         std::to_string(base),
                         std::to_string(resumption.count())};
  RedisClient::Reply reply =
      co_await redis_->Eval(kAnnounceOutboxScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  std::optional<Announced> announced;
  if (answer->array.size() >= 3) {
    announced = Announced{Number(answer->array[1]), Number(answer->array[2])};
  }
  co_return announced;
}

Task<Result<std::optional<Outbox::Pulled>>> Outbox::Pull(xmpp::FullJid full,
                                                         SessionRecord row, uint64_t from,
                                                         uint32_t stanzas, uint32_t bytes) {
  const Keys k(full.BareView(), row.session);
  RedisClient::Args keys{k.sessions(), k.out, k.sm, k.shown};
  RedisClient::Args args{row.resource, OwnerText(row.owner), std::to_string(from),
                         std::to_string(stanzas), std::to_string(bytes)};
  RedisClient::Reply reply = co_await redis_->Eval(kPullScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  std::vector<RedisReply>& parts = answer->array;
  std::optional<Pulled> pulled;
  if (parts.size() < 3) co_return pulled;
  pulled.emplace();
  pulled->last = Number(parts[1]);
  pulled->first = Number(parts[2]);
  for (size_t i = 3; i + 1 < parts.size(); i += 2) {
    // A damaged entry keeps its number: a stanza that says nothing.
    pulled->entries.push_back(
        ParseEntry(parts[i].text, std::move(parts[i + 1].text)).value_or(OutboxEntry()));
  }
  co_return pulled;
}

void Outbox::PutDue(const Due& due, uint64_t at_ms, absl::AnyInvocable<void(bool)> done) {
  const std::string key = DueKey(DueBucket(due.account));
  redis_->Command(key, {"ZADD", key, std::to_string(at_ms), Member(due)},
                  [done = std::move(done)](RedisClient::Reply reply) mutable {
                    done(reply.has_value() && !reply->IsError());
                  });
}

Task<Result<std::vector<Outbox::Due>>> Outbox::TakeDue(int bucket, uint64_t now_ms,
                                                       uint64_t lease_end_ms, uint32_t most) {
  RedisClient::Args keys{DueKey(bucket)};
  RedisClient::Args args{std::to_string(now_ms), std::to_string(lease_end_ms),
                         std::to_string(most)};
  RedisClient::Reply reply =
      co_await redis_->Eval(kTakeDueScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  std::vector<Due> taken;
  for (const RedisReply& member : answer->array) {
    const std::vector<std::string> parts = Lines(member.text);
    if (parts.size() != 3) continue;
    taken.push_back({parts[0], SessionOfHex(parts[1]), parts[2]});
  }
  co_return taken;
}

void Outbox::DropDue(const Due& due, uint64_t lease_end_ms) {
  redis_->Eval(kDropDueScript, {DueKey(DueBucket(due.account))},
               {Member(due), std::to_string(lease_end_ms)}, [](RedisClient::Reply) {});
}

Task<Result<Outbox::Expiry>> Outbox::Expire(Due due, bool now) {
  const Keys k(due.account, due.session);
  RedisClient::Args keys{k.sessions(), k.sm, EndingKey(k.tag)};
  RedisClient::Args args{due.resource, HexBytes(due.session), now ? "1" : "0"};
  RedisClient::Reply reply =
      co_await redis_->Eval(kExpireScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  const std::vector<RedisReply>& parts = answer->array;
  Expiry expiry;
  if (parts.size() >= 2 && parts[0].text == "later") expiry.left_ms = Number(parts[1]);
  if (parts.size() >= 3 && parts[0].text == "ended") {
    auto row = SessionRecord::Parse(parts[1].text, parts[2].text);
    if (!row) co_return Unexpected("expire");
    expiry.ended = *std::move(row);
  }
  co_return expiry;
}

Task<Result<std::vector<OutboxEntry>>> Outbox::Read(Due due) {
  const Keys k(due.account, due.session);
  RedisClient::Args range{"LRANGE", k.out, "0", "-1"};
  RedisClient::Reply reply = co_await redis_->Command(k.out, std::move(range));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  std::vector<OutboxEntry> entries;
  for (const RedisReply& text : answer->array) {
    // What was shown is of no use to anybody else: the next presence tells it anew.
    auto entry = ParseEntry(text.text, {});
    if (entry && entry->stanza_class != OutboxEntry::kPresenceClass) {
      entries.push_back(*std::move(entry));
    }
  }
  co_return entries;
}

Task<Result<void>> Outbox::Forget(Due due, std::string sm_id) {
  const Keys k(due.account, due.session);
  RedisClient::Args keys{EndingKey(k.tag), k.out, k.sm, k.shown, WasKey(k.tag)};
  RedisClient::Args args{HexBytes(due.session), std::move(sm_id)};
  RedisClient::Reply reply =
      co_await redis_->Eval(kForgetOutboxScript, std::move(keys), std::move(args));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  co_return Result<void>();
}

Task<Result<std::optional<uint32_t>>> Outbox::LastH(xmpp::BareJid account,
                                                    std::string sm_id) {
  const std::string key = WasKey(AccountTag(account.ToString()));
  RedisClient::Args get{"HGET", key, std::move(sm_id)};
  RedisClient::Reply reply = co_await redis_->Command(key, std::move(get));
  Result<RedisReply> answer = Checked(std::move(reply));
  if (!answer) co_return answer.error();
  std::optional<uint32_t> h;
  if (!answer->IsNil()) h = static_cast<uint32_t>(Number(*answer));
  co_return h;
}

}  // namespace cluster
