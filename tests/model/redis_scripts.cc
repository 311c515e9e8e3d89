#include "tests/model/redis_scripts.h"

#include <algorithm>

namespace model {
namespace {

void RemoveFront(Outbox& out, int count, uint8_t* messages) {
  for (int i = 0; i < count; ++i) {
    const uint8_t entry = out.entry[i];
    if ((entry & kPresence) == 0) {
      *messages |= Bit(entry & kNumber);
    } else if (out.shown_at == out.t + i + 1) {
      out.shown_at = out.shown = 0;
    }
  }
  std::copy(out.entry + count, out.entry + out.n, out.entry);
  std::fill(out.entry + out.n - count, out.entry + out.n, 0);
  out.n = static_cast<uint8_t>(out.n - count);
  out.t = static_cast<uint8_t>(out.t + count);
}

void ToEnding(Redis& redis) {
  redis.ended = redis.out;
  redis.ended_session = redis.recipient.session;
  redis.out = {};
  const uint8_t counter = redis.recipient.counter;
  redis.recipient = {};
  redis.recipient.counter = counter;
}

// Of the one `from` only the newest presence is still of use; the rest is numbered anew.
void DropSuperseded(const Bounds& bounds, Outbox& out) {
  int newest = -1;
  for (int i = 0; i < out.n; ++i) {
    if (out.entry[i] & kPresence) newest = i;
  }
  if (newest < 0) return;
  const uint8_t size = out.n;
  int kept = 0;
  for (int i = 0; i < size; ++i) {
    if ((out.entry[i] & kPresence) && i != newest) continue;
    if (i == newest) out.shown_at = static_cast<uint8_t>(out.t + kept + 1);
    out.entry[kept++] = out.entry[i];
  }
  std::fill(out.entry + kept, out.entry + size, 0);
  out.n = static_cast<uint8_t>(kept);
  if (bounds.Broken(Mutant::kRenumberWithGaps)) {
    out.t = static_cast<uint8_t>(out.t + size - kept);
    out.shown_at = static_cast<uint8_t>(out.shown_at + size - kept);
  }
}

}  // namespace

uint8_t NextEpoch(const Bounds& bounds, Row& row, uint8_t generation) {
  const uint8_t high =
      bounds.Broken(Mutant::kNoGeneration) ? 0 : static_cast<uint8_t>(generation << 4);
  uint8_t least = 0;
  if (row.exists && (row.epoch & 0xf0) == high) least = row.epoch & 0x0f;
  row.counter = static_cast<uint8_t>(std::max(row.counter, least) + 1);
  return static_cast<uint8_t>(high | row.counter);
}

void BindScript(const Bounds& bounds, Redis& redis, uint8_t generation, uint8_t session,
                uint8_t connection) {
  Row& row = redis.recipient;
  const uint8_t epoch = NextEpoch(bounds, row, generation);
  if (row.exists) ToEnding(redis);
  row.exists = 1;
  row.session = session;
  row.epoch = epoch;
  row.connection = connection;
  row.generation = generation;
  redis.out = {};
  redis.out.exists = 1;
}

Appended AppendScript(const Bounds& bounds, Redis& redis, const Effect& effect, uint8_t session) {
  Outbox& out = redis.out;
  const bool presence = effect.presence;
  if (!redis.recipient.exists || redis.recipient.session != session || !out.exists) {
    // Unchecked it goes to keys that nobody reads any more.
    return bounds.Broken(Mutant::kAppendUnchecked) ? Appended::kOk : Appended::kGone;
  }
  // R11: Redis may have lost numbers that were given. A manager says so soon; a client that is away
  // could not.
  const bool behind = redis.recipient.generation < effect.generation &&
                      !bounds.Broken(Mutant::kAppendBeforeAnnounced);
  if (behind && (!redis.recipient.hibernated || !effect.settled_down)) return Appended::kGone;

  uint8_t& mine = effect.server ? redis.seen_server[session] : redis.seen[session];
  const uint8_t here = redis.seen[session] | redis.seen_server[session];
  // What came directly may come again to another session, from an ended one or from offline storage.
  // What the sender's session makes comes once to the account.
  uint8_t known = bounds.Broken(Mutant::kSeenByOrigin) ? mine : here;
  if (!effect.server && !bounds.Broken(Mutant::kSeenBySession)) {
    for (int s = 0; s < kSessions; ++s) known |= redis.seen[s] | redis.seen_server[s];
  }
  const bool late_counts = presence && bounds.Broken(Mutant::kLatePresence);
  if (!effect.server) {
    if (bounds.Broken(Mutant::kSeenForgetsCommitted)) {
      const auto past = static_cast<uint8_t>(Bit(effect.settled + 1) - 1);
      redis.seen[session] &= static_cast<uint8_t>(~past);
      known &= static_cast<uint8_t>(~past);
    } else {
      redis.settled = std::max(redis.settled, effect.settled);
      if (effect.stanza <= redis.settled && !late_counts) return Appended::kElsewhere;
    }
  }
  if (late_counts) known = 0;
  if ((known & Bit(effect.stanza)) && !bounds.Broken(Mutant::kNoSeen)) {
    return here & Bit(effect.stanza) ? Appended::kSeen : Appended::kElsewhere;
  }
  if (out.n == kEntries) return Appended::kGone;  // full: bounds are chosen not to come here
  mine |= Bit(effect.stanza);
  if (behind) redis.recipient.not_resumed = 1;
  if (presence) {
    out.entry[out.n] = kPresence;
    out.shown_at = static_cast<uint8_t>(out.last() + 1);
    out.shown = effect.stanza;
  } else {
    out.entry[out.n] = static_cast<uint8_t>(effect.stanza | (effect.server ? kStored : 0));
  }
  ++out.n;
  return Appended::kOk;
}

bool CommitScript(const Bounds& bounds, Redis& redis, Owner owner, uint8_t in_seq) {
  if (!Owns(redis.sender, owner) && !bounds.Broken(Mutant::kCommitUnfenced)) return false;
  if (!redis.sender_sm) return false;
  redis.sender_in = std::max(redis.sender_in, in_seq);
  return true;
}

uint8_t TrimScript(Redis& redis, Owner owner, uint8_t number) {
  uint8_t messages = 0;
  if (!Owns(redis.recipient, owner)) return 0;
  const int count = number - redis.out.t;
  if (count > 0 && count <= redis.out.n) RemoveFront(redis.out, count, &messages);
  return messages;
}

Resumption ResumeSender(const Bounds& bounds, Redis& redis, uint8_t generation,
                        uint8_t connection) {
  Row& row = redis.sender;
  if (!row.exists || !redis.sender_sm) return Resumption::kGone;
  if (row.connection != connection && !bounds.Broken(Mutant::kResumeKeepsEpoch)) {
    row.epoch = NextEpoch(bounds, row, generation);
  }
  row.connection = connection;
  row.generation = generation;
  row.hibernated = 0;
  return Resumption::kResumed;
}

Resumption ResumeRecipient(const Bounds& bounds, Redis& redis, uint8_t generation, uint8_t session,
                           uint8_t connection, uint8_t h, uint8_t* confirmed) {
  Row& row = redis.recipient;
  Outbox& out = redis.out;
  if (!row.exists && bounds.Broken(Mutant::kResumeAfterEnd) && redis.ended.exists &&
      redis.ended_session == session) {
    out = redis.ended;
    row.exists = row.available = 1;
    row.session = session;
  }
  if (!row.exists || row.session != session || !out.exists || row.not_resumed) {
    return Resumption::kGone;
  }
  if (bounds.Broken(Mutant::kRenumberBeforeTrim)) DropSuperseded(bounds, out);
  if (h > out.last()) return Resumption::kHigh;
  if (h < out.t) return Resumption::kLow;
  const bool asked_again = row.connection == connection;
  if (!asked_again) {
    if (!bounds.Broken(Mutant::kResumeKeepsEpoch)) row.epoch = NextEpoch(bounds, row, generation);
    row.connection = connection;
    row.generation = generation;
  }
  row.hibernated = 0;
  RemoveFront(out, h - out.t, confirmed);
  // R4: asked again, it must not number anew what may have been pushed meanwhile.
  if (!asked_again || bounds.Broken(Mutant::kBlindRepeat)) DropSuperseded(bounds, out);
  return Resumption::kResumed;
}

bool AnnounceRow(const Bounds& bounds, Row& row, Owner owner, uint8_t session,
                 uint8_t generation) {
  if (row.exists && !Owns(row, owner) && row.epoch >= owner.epoch &&
      !bounds.Broken(Mutant::kAnnounceOverNewer)) {
    return false;
  }
  if (!Owns(row, owner)) row.available = 1;
  row.exists = 1;
  row.session = session;
  row.epoch = owner.epoch;
  row.connection = owner.connection;
  row.generation = generation;
  row.hibernated = row.not_resumed = 0;
  row.counter = std::max<uint8_t>(row.counter, owner.epoch & 0x0f);
  return true;
}

void AnnounceOutbox(const Bounds& bounds, Redis& redis, bool stood, uint8_t written) {
  Outbox& out = redis.out;
  const bool forgets = bounds.Broken(Mutant::kAnnounceForgetsWritten);
  if (!stood || (written > out.last() && !forgets)) {
    // Numbers that were given already are not given again (R11), and what is given again has to be
    // taken.
    const uint8_t session = redis.recipient.session;
    if (!bounds.Broken(Mutant::kSeenOutlivesOutbox)) {
      redis.seen[session] = redis.seen_server[session] = 0;
    }
    out = {};
    out.exists = 1;
    if (!forgets) out.t = written;
  } else if (written < out.t && !forgets) {
    // A former owner was announced before: numbers go on behind what this one has written.
    if (out.shown_at != 0) out.shown_at = static_cast<uint8_t>(out.shown_at - out.t + written);
    out.t = written;
  }
}

void ExpireScript(Redis& redis) { ToEnding(redis); }

uint8_t StanzaAt(const Outbox& out, int number) {
  if (number <= out.t || number > out.last()) return 0;
  const uint8_t entry = out.entry[number - out.t - 1];
  return entry & kPresence ? static_cast<uint8_t>(out.shown | kPresence) : entry;
}

}  // namespace model
