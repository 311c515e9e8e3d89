#include "tests/model/model.h"

namespace model {

std::string Label::ToString() const {
  std::string line;
  const int numbers[] = {first, second};
  int next = 0;
  for (const char* p = text; *p != 0; ++p) {
    if (*p == '%') {
      line += std::to_string(numbers[next]);
      next = 1;
    } else {
      line += *p;
    }
  }
  return line;
}

const char* WrongText(uint8_t wrong) {
  switch (static_cast<Wrong>(wrong)) {
    case kNothing: return nullptr;
    case kHDecreased: return "I7: h decreased";
    case kHBeyondCommitted: return "I7: h exceeds what is committed";
    case kTwoWritersInAnEpoch: return "I6: two connections wrote in one epoch";
    case kOldEpochWrote: return "I6: an old epoch wrote after a newer one";
    case kEpochNotHigher: return "I6: an epoch is not higher than the one before";
    case kDoubledInSession: return "I4: a message came twice to one session";
    case kOutOfOrder: return "I5: messages of one session out of order";
    case kConfirmedCameAgain: return "I13: what was confirmed came again";
    case kOldPresence: return "I8: an older presence after a newer one";
    case kHTooHigh: return "R11: handled-count-too-high for a client that counted right";
    case kHTooLow: return "I4: the record confirmed more than the client had";
    case kResumedAfterEnd: return "end: resumed after it had ended";
    case kTwoErrors: return "I12: an iq was answered with two errors";
    case kErrorAndConfirmed: return "I12: an iq was confirmed and answered with an error";
    case kNumberSkipped: return "I4: an entry that was not confirmed is not there any more";
    case kNumberWithoutEntry: return "I4: a number without an entry";
    case kStrangerGivenEntries: return "R3: entries were given to who owns the session no more";
  }
  return "?";
}

World Model::First() const {
  World w;
  std::memset(&w, 0, sizeof(w));
  w.redis.sender.exists = w.redis.sender.epoch = w.redis.sender.available =
      w.redis.sender.counter = 1;
  w.redis.sender_sm = 1;
  w.redis.recipient = w.redis.sender;
  w.redis.out.exists = 1;
  w.from[0].socket = w.to[0].socket = kOpen;
  w.from[0].epoch = w.to[0].epoch = w.from[0].announced = w.to[0].announced = 1;
  w.server[0].knows = w.server[0].epoch = 1;
  w.sender.state = w.recipient.state = kConnected;
  w.sender.next = w.sender.used = w.recipient.used = 1;
  w.sender_epoch = w.recipient_epoch = 1;
  const auto byte = [](int n) { return static_cast<uint8_t>(n); };
  w.budget = {byte(bounds_.sockets), byte(bounds_.managers), byte(bounds_.servers),
              byte(bounds_.links),   byte(bounds_.wipes),    byte(bounds_.restores),
              byte(bounds_.repeats)};
  return w;
}

uint8_t Model::MaskOf(char kind) const {
  uint8_t mask = 0;
  for (int m = 1; m <= Count(); ++m) {
    if (Kind(m) == kind) mask |= Bit(m);
  }
  return mask;
}

void Model::Next(const World& world, Successors* out) const {
  Adder add{world, out};
  NewGeneration(add);
  Hints(add);
  Faults(add);
  // R11: no script runs on a new connection to Redis before its generation was looked at.
  const bool unknown = world.lost && !Broken(Mutant::kScriptsBeforeCheck);
  if (!unknown) Work(add);
  for (Successor& successor : *out) Tidy(successor.world);
}

void Model::Work(Adder& add) const {
  SenderClient(add);
  for (int c = 0; c < bounds_.sender_connections; ++c) SenderManager(add, c);
  SenderReaper(add);
  for (int server = 0; server < kServers; ++server) SenderHome(add, server);
  RecipientClient(add);
  for (int c = 0; c < bounds_.recipient_connections; ++c) RecipientManager(add, c);
  RecipientRow(add);
  BecomingAvailable(add);
  EndedOutbox(add);
}

void Model::Tidy(World& w) const {
  for (Hint& hint : w.hint) {
    if (!hint.used || Broken(Mutant::kPushIsTruth)) continue;
    const RecipientConnection& c = w.to[hint.connection];
    const Recipient& r = w.recipient;
    const bool soon = r.state == kResuming && r.asked && r.connection == hint.connection &&
                      r.epoch == hint.epoch;
    const bool now = c.socket == kOpen && c.epoch == hint.epoch && hint.number > c.written;
    if (!soon && !now) hint = {};
  }
  if (std::memcmp(&w.hint[0], &w.hint[1], sizeof(Hint)) < 0) std::swap(w.hint[0], w.hint[1]);
}

// Is it somewhere from where it gets to the recipient (or its error to the sender)?
bool Model::Recoverable(const World& w, int m) const {
  const auto holds = [m](const Outbox& out) {
    for (int i = 0; i < out.n; ++i) {
      if (!(out.entry[i] & kPresence) && (out.entry[i] & kNumber) == m) return true;
    }
    return false;
  };
  const uint8_t bit = Bit(m);
  if (w.recipient.got & bit) return true;
  if (w.redis.recipient.exists && holds(w.redis.out)) return true;
  if (w.redis.ended.exists && w.sweep != kSweepInHand && holds(w.redis.ended)) return true;

  if (Kind(m) == 'I') return (w.sql.errors & bit) != 0 || !Whole(w);
  if (w.sql.offline & bit) return true;
  return w.owed && (w.sql.rows & bit) && !(w.sql.confirmed & bit);
}

const char* Model::Broken(const World& w) const {
  if (w.wrong != kNothing) return WrongText(w.wrong);
  for (int m = 1; m <= w.sender.h; ++m) {
    if (Kind(m) == 'V') continue;
    if (Kind(m) == 'D' && !(w.sql.rows & Bit(m)) && !(w.sql.offline & Bit(m)) &&
        !(w.recipient.got & Bit(m))) {
      return "I1: acknowledged, and SQL does not have it";
    }
    if (!Recoverable(w, m)) return "I1, I3: acknowledged, and neither received nor kept anywhere";
  }
  return nullptr;
}

const char* Model::Stuck(const World& w) const {
  if (w.sender.state == kConnected && w.sender.h < w.sender.sent) {
    return "R1: everything is quiet, and a stanza is neither accepted nor refused";
  }
  if (w.recipient.state != kConnected) return nullptr;
  int presence = 0;
  for (int m = 1; m <= w.sender.h; ++m) {
    if (Kind(m) == 'D' && !(w.recipient.got & Bit(m))) {
      return "I3: everything is quiet, the recipient is there, and a message did not come";
    }
    if (Kind(m) == 'V') presence = m;
  }
  if ((w.sql.offline & w.confirmed) != 0 && w.sql.generation == 0) {
    return "I13: everything is quiet, and what was confirmed waits to come again";
  }
  if (w.redis.recipient.exists && w.redis.out.n > 0) {
    return "I4: everything is quiet, and the outbox is not empty";
  }
  // A new session asks for presence anew (RFC 6121), and so does one after a loss.
  if (w.recipient.session == 0 && w.sql.generation == 0 && w.recipient.presence < presence) {
    return "I8: everything is quiet, and the last presence seen is not the last that was sent";
  }
  return nullptr;
}

}  // namespace model
