#include "lib/cluster/generation.h"

#include <openssl/rand.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/cluster/concat.h"
#include "lib/cluster/redis_keys.h"
#include "lib/cluster/session_record.h"
#include "lib/runtime/log.h"

namespace cluster {
namespace {

using runtime::OneShot;
using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;
using State = GenerationStore::State;

constexpr std::chrono::milliseconds kRetryEvery(200);  // while Redis or the store gives no answer
// Each round raises by one; more than one is needed only if SQL is behind Redis' marker.
constexpr int kMaxRounds = 64;

const std::string kReplicationId = R"lua(
local function replication_id()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
)lua";

// KEYS marker. → {replication id, marker or ""}, seen in one step: a restart cannot come between.
const runtime::RedisScript kReadMarker("read_marker", kReplicationId + R"lua(
return {replication_id(), redis.call('GET', KEYS[1]) or ''}
)lua");

// KEYS marker. ARGV generation, token. → {replication id, marker that stands}. A marker of that
// generation or a newer one stays: two servers that see the same loss agree on its token.
const runtime::RedisScript kWriteMarker("write_marker", kReplicationId + R"lua(
local id = replication_id()
local marker = redis.call('GET', KEYS[1])
if marker then
  local generation, of = string.match(marker, '^(%d+) (%x+) %x+$')
  if of == id and tonumber(generation) >= tonumber(ARGV[1]) then return {id, marker} end
end
marker = ARGV[1] .. ' ' .. id .. ' ' .. ARGV[2]
redis.call('SET', KEYS[1], marker)
return {id, marker}
)lua");

// What one master says of itself.
struct Sighting {
  std::string replication_id;
  std::string marker;

  // How the master stands in the fingerprint if its marker is of `generation` and of this life of
  // the process; else empty. A restored copy brings its marker along, but not the id.
  std::string Mark(uint64_t generation) const {
    std::string front = Concat({std::to_string(generation), " ", replication_id, " "});
    if (!std::string_view(marker).starts_with(front)) return {};
    return Concat({replication_id, ".", std::string_view(marker).substr(front.size())});
  }
};

// A marker's generation; 0 if it is none.
uint64_t GenerationOf(std::string_view marker) {
  uint64_t generation = 0;
  std::from_chars(marker.data(), marker.data() + marker.size(), generation);
  return generation;
}

bool HasWord(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    size_t blank = text.find(' ');
    if (text.substr(0, blank) == word) return true;
    if (blank == std::string_view::npos) break;
    text.remove_prefix(blank + 1);
  }
  return false;
}

// All masters carry the marks that SQL has for the present generation.
bool Fits(const State& state, const std::vector<Sighting>& masters) {
  if (state.generation == 0) return false;
  return std::all_of(masters.begin(), masters.end(), [&](const Sighting& master) {
    std::string mark = master.Mark(state.generation);
    return !mark.empty() && HasWord(state.fingerprint, mark);
  });
}

std::string FingerprintOf(const std::vector<Sighting>& masters) {
  std::vector<std::string> marks;
  for (const Sighting& master : masters) marks.push_back(master.Mark(GenerationOf(master.marker)));
  std::sort(marks.begin(), marks.end());
  std::string fingerprint;
  for (const std::string& mark : marks) {
    if (!fingerprint.empty()) fingerprint += ' ';
    fingerprint += mark;
  }
  return fingerprint;
}

// Tells two raises to the same number apart: a marker written late, by a server that stood still
// meanwhile, does not hide a second loss.
std::string NewToken() {
  char bytes[8];
  CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes), sizeof bytes) == 1);
  return HexBytes(std::string_view(bytes, sizeof bytes));
}

}  // namespace

// SQL is read before Redis, and the markers are written before SQL is raised: who finds the new
// number in SQL finds its markers too, and a marker ahead of SQL is a raise that was not finished.
struct GenerationKeeper::Impl : std::enable_shared_from_this<Impl> {
  using OnGeneration = absl::AnyInvocable<void(uint64_t)>;

  Impl(runtime::EventLoop* l, RedisClient* r, GenerationStore* s, OnGeneration o,
       std::chrono::milliseconds e)
      : loop(l), redis(r), store(s), on_generation(std::move(o)), check_every(e), timer(this) {}

  void CheckSoon() {
    if (checking) {
      again = true;  // the check under way may have asked before the reconnection
      return;
    }
    checking = true;
    timer.Cancel();
    runtime::Spawn(Run(shared_from_this()));
  }

  static Task<void> Run(std::shared_ptr<Impl> self) {
    bool known = false;
    do {
      self->again = false;
      known = co_await self->Check();
      if (self->stopped) co_return;
    } while (self->again);
    self->checking = false;
    self->loop->Arm(&self->timer,
                    known ? self->check_every : std::min(self->check_every, kRetryEvery));
  }

  // True when what SQL says fits what Redis says.
  Task<bool> Check() {
    Result<State> state = co_await store->Read();
    for (int round = 0; round < kMaxRounds && !stopped; ++round) {
      if (!state.has_value()) co_return Troubled(state.error().message);
      std::vector<Sighting> seen;
      std::string wrong = co_await AskMasters(kReadMarker, RedisClient::Args(), &seen);
      if (stopped) co_return false;
      if (!wrong.empty()) co_return Troubled(wrong);
      if (Fits(*state, seen)) {
        Adopt(state->generation);
        co_return true;
      }
      const uint64_t from = state->generation;
      RedisClient::Args raised{std::to_string(from + 1), NewToken()};
      wrong = co_await AskMasters(kWriteMarker, std::move(raised), &seen);
      if (stopped) co_return false;
      if (!wrong.empty()) co_return Troubled(wrong);
      state = co_await store->Raise(from, FingerprintOf(seen));
    }
    co_return !stopped && Troubled("SQL and Redis do not come together");
  }

  // Runs `script` with the marker key of each master. Empty, or what went wrong.
  Task<std::string> AskMasters(const runtime::RedisScript& script, RedisClient::Args args,
                               std::vector<Sighting>* seen) {
    seen->clear();
    std::vector<std::string> tags = redis->MasterTags();
    if (tags.empty()) co_return "masters not known yet";
    std::vector<OneShot<RedisClient::Reply>> replies(tags.size());
    for (size_t i = 0; i < tags.size(); ++i) {
      RedisClient::Args keys{GenerationKey(tags[i])};
      redis->Eval(script, std::move(keys), args,
                  [at = &replies[i]](RedisClient::Reply reply) { at->Set(std::move(reply)); });
    }
    std::string wrong;
    for (OneShot<RedisClient::Reply>& one : replies) {
      RedisClient::Reply reply = co_await one;
      if (!reply.has_value()) {
        wrong = reply.error().message;
      } else if (reply->array.size() != 2 || reply->array[0].text.empty()) {
        wrong = reply->IsError() ? reply->text : "unexpected reply of a marker script";
      } else {
        seen->push_back({std::move(reply->array[0].text), std::move(reply->array[1].text)});
      }
    }
    co_return wrong;
  }

  void Adopt(uint64_t generation) {
    troubled = false;
    if (generation <= current) return;
    runtime::LogInfo("redis_generation", "the generation of Redis",
                     {{"generation", generation}, {"before", current}});
    current = generation;
    on_generation(generation);
  }

  bool Troubled(const std::string& reason) {
    if (!std::exchange(troubled, true)) {
      runtime::LogWarn("redis_generation_unchecked", "Redis' generation cannot be checked",
                       {{"reason", reason}, {"generation", current}});
    }
    return false;
  }

  struct CheckTimer : runtime::Timer {
    explicit CheckTimer(Impl* i)
        : Timer([](Timer* t) { static_cast<CheckTimer*>(t)->impl->CheckSoon(); }), impl(i) {}
    Impl* impl;
  };

  runtime::EventLoop* const loop;
  RedisClient* const redis;
  GenerationStore* const store;
  OnGeneration on_generation;
  const std::chrono::milliseconds check_every;
  uint64_t current = 0;
  bool checking = false, again = false;
  bool troubled = false;  // said so in the log
  bool stopped = false;   // `redis` and `store` may be gone
  CheckTimer timer;
};

GenerationKeeper::GenerationKeeper(runtime::EventLoop* loop, RedisClient* redis,
                                   GenerationStore* store,
                                   absl::AnyInvocable<void(uint64_t generation)> on_generation,
                                   std::chrono::milliseconds check_every)
    : impl_(std::make_shared<Impl>(loop, redis, store, std::move(on_generation), check_every)) {}

GenerationKeeper::~GenerationKeeper() {
  impl_->stopped = true;
  impl_->timer.Cancel();
}

void GenerationKeeper::Start() {
  impl_->loop->AssertInLoop();
  impl_->redis->OnConnected([weak = std::weak_ptr<Impl>(impl_)](const std::string&) {
    if (std::shared_ptr<Impl> impl = weak.lock(); impl && !impl->stopped) impl->CheckSoon();
  });
  impl_->CheckSoon();
}

uint64_t GenerationKeeper::generation() const { return impl_->current; }

}  // namespace cluster
