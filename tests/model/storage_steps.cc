// Outboxes and offline storage, as those who deliver use them.
#include "tests/model/model.h"

namespace model {

// What is in the outbox is delivered; the push is a hint, which may be missing.
Appended Model::Append(World& w, int stanza, uint8_t settled, uint8_t session) const {
  Effect effect{.stanza = static_cast<uint8_t>(stanza),
                .server = settled == kServersOwn,
                .settled = settled,
                .presence = Kind(stanza) == 'V',
                .generation = w.sql.generation,
                .settled_down = true};
  for (const RecipientConnection& c : w.to) {
    if (c.socket != kNoConnection && !c.announced) effect.settled_down = false;
  }
  const Outbox& out = w.redis.out;
  const int before = out.last();
  const Appended how = AppendScript(bounds_, w.redis, effect, session);
  if (how != Appended::kOk || out.last() == before) return how;
  if (Broken(Mutant::kMarkWhenAppended) && !effect.presence) w.sql.confirmed |= Bit(stanza);
  if (w.redis.recipient.hibernated) return how;
  for (Hint& hint : w.hint) {
    if (hint.used) continue;
    hint = {.used = 1,
            .connection = w.redis.recipient.connection,
            .epoch = w.redis.recipient.epoch,
            .number = static_cast<uint8_t>(out.last()),
            .stanza = StanzaAt(out, out.last()),
            .generation = w.sql.generation};
    break;
  }
  return how;
}

// The row's number: a new one even if the message was there already, so that whoever has read the
// old row does not remove this one.
uint8_t Model::StoreOffline(World& w, int m) const {
  w.was_stored |= Bit(m);
  w.sql.offline |= Bit(m);
  return ++w.sql.row[m];
}

void Model::RemoveOffline(World& w, int m, uint8_t row) const {
  if (w.sql.row[m] != row && !Broken(Mutant::kRemoveByEffect)) return;
  w.sql.offline = Without(w.sql.offline, m);
}

// What is given to who becomes available: offline rows, and after a loss what lies behind the mark.
uint8_t Model::Waiting(const World& w) const {
  uint8_t mask = w.sql.offline;
  if (w.owed && !Broken(Mutant::kNoRedelivery)) {
    mask |= static_cast<uint8_t>(w.sql.rows & ~w.sql.confirmed);
  }
  return mask;
}

bool Model::SeenByAnybody(const World& w, int m) const {
  for (int s = 0; s < kSessions; ++s) {
    if ((w.redis.seen[s] | w.redis.seen_server[s]) & Bit(m)) return true;
  }
  return m <= w.redis.settled;
}

}  // namespace model
