// The protocol between clients, managers, business servers, Redis and SQL, as steps that each happen
// at once, in any order. See README.md.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/model/bounds.h"
#include "tests/model/redis_scripts.h"
#include "tests/model/world.h"

namespace model {

// What happened, for the trace; numbers stand for '%' in the text.
struct Label {
  const char* text;
  int first = 0, second = 0;
  std::string ToString() const;
};

struct Successor {
  World world;
  Label label;
  bool fault;  // need not happen: a world is quiet when only faults are left
};
using Successors = std::vector<Successor>;

// Which invariant a step broke; kept in the world so that the trace ends with that step.
enum Wrong : uint8_t {
  kNothing,
  kHDecreased,
  kHBeyondCommitted,
  kTwoWritersInAnEpoch,
  kOldEpochWrote,
  kEpochNotHigher,
  kDoubledInSession,
  kOutOfOrder,
  kConfirmedCameAgain,
  kOldPresence,
  kHTooHigh,
  kHTooLow,
  kResumedAfterEnd,
  kTwoErrors,
  kErrorAndConfirmed,
  kNumberSkipped,
  kNumberWithoutEntry,
  kStrangerGivenEntries,
};
const char* WrongText(uint8_t wrong);

class Model {
 public:
  explicit Model(Bounds bounds) : bounds_(std::move(bounds)) {}

  World First() const;
  void Next(const World& world, Successors* out) const;
  // nullptr, or what is not true of this world.
  const char* Broken(const World& world) const;
  // nullptr, or what is missing in a world in which nothing has to happen any more.
  const char* Stuck(const World& world) const;

 private:
  struct Adder;  // collects the successors of one world

  void Work(Adder& add) const;
  // sender_steps.cc
  void SenderClient(Adder& add) const;
  void SenderResumes(Adder& add) const;
  void SenderResumed(World& w) const;
  void SenderManager(Adder& add, int connection) const;
  void AnnounceSender(Adder& add, int connection) const;
  void SenderReaper(Adder& add) const;
  void SenderHome(Adder& add, int server) const;
  void Job(Adder& add, int server) const;
  void JobFindsSomebody(Adder& add, int server) const;
  void JobAppends(Adder& add, int server) const;
  void JobLooksAgain(Adder& add, int server) const;
  void Finish(World& w, int server) const;
  void Depart(Server& server) const;
  void SenderWrites(World& w, Owner owner) const;
  // recipient_steps.cc
  void RecipientClient(Adder& add) const;
  void RecipientResumes(Adder& add) const;
  void RecipientLogsIn(Adder& add) const;
  void RecipientManager(Adder& add, int connection) const;
  void AnnounceRecipient(Adder& add, int connection) const;
  void RecipientRow(Adder& add) const;
  void Hints(Adder& add) const;
  void BecomingAvailable(Adder& add) const;
  void EndedOutbox(Adder& add) const;
  void EndedMessage(Adder& add, int stanza) const;
  void Receive(World& w, uint8_t written) const;
  void Write(World& w, int connection, uint8_t stanza) const;
  void RecipientWrites(World& w, Owner owner) const;
  // storage_steps.cc
  Appended Append(World& w, int stanza, uint8_t settled, uint8_t session) const;
  uint8_t StoreOffline(World& w, int stanza) const;
  void RemoveOffline(World& w, int stanza, uint8_t row) const;
  uint8_t Waiting(const World& w) const;
  bool SeenByAnybody(const World& w, int stanza) const;
  // fault_steps.cc
  void Faults(Adder& add) const;
  void LostSockets(Adder& add) const;
  void RedisFaults(Adder& add) const;
  void NewGeneration(Adder& add) const;
  void ServerGone(World& w, int server) const;
  void ManagerGone(World& w, int manager) const;

  static constexpr uint8_t kServersOwn = 0xff;  // Append: no effect of the sender's session
  char Kind(int stanza) const { return bounds_.stanzas[static_cast<size_t>(stanza - 1)]; }
  int Count() const { return static_cast<int>(bounds_.stanzas.size()); }
  uint8_t MaskOf(char kind) const;
  bool Broken(Mutant mutant) const { return bounds_.mutant == mutant; }
  static bool Available(const World& w) {
    return w.redis.recipient.exists && w.redis.recipient.available;
  }
  // Redis lost nothing so far; after a loss duplicates are allowed (R10).
  static bool Whole(const World& w) { return w.sql.generation == 0 && !w.lost; }
  bool Recoverable(const World& w, int stanza) const;
  // Forgets what can have no effect any more: fewer worlds that differ in nothing.
  void Tidy(World& w) const;

  const Bounds bounds_;
};

struct Model::Adder {
  const World& at;
  Successors* out;
  // A copy of the world, to be changed, that is a successor.
  World& Step(const char* text, int first = 0, int second = 0) const {
    out->push_back({at, {text, first, second}, false});
    return out->back().world;
  }
  World& Fault(const char* text, int first = 0, int second = 0) const {
    out->push_back({at, {text, first, second}, true});
    return out->back().world;
  }
  // The step waits for something else.
  void Withdraw() const { out->pop_back(); }
};

}  // namespace model
