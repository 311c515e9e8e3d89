// A client that receives, its managers, and what becomes of its outbox.
#include <algorithm>

#include "tests/model/model.h"

namespace model {

void Model::RecipientWrites(World& w, Owner owner) const {
  if (owner.epoch == w.recipient_epoch && owner.connection != w.recipient_writer) {
    w.wrong = kTwoWritersInAnEpoch;
  } else if (owner.epoch < w.recipient_epoch && Whole(w)) {
    w.wrong = kOldEpochWrote;
  } else if (owner.epoch > w.recipient_epoch) {
    w.recipient_epoch = owner.epoch;
    w.recipient_writer = owner.connection;
  }
}

// What the client sees of a stanza that came to it.
void Model::Receive(World& w, uint8_t written) const {
  Recipient& r = w.recipient;
  const uint8_t m = written & kNumber;
  ++r.h;
  if (m == 0) {
    w.wrong = kNumberWithoutEntry;
    return;
  }
  if (written & kPresence) {
    if (m < r.presence && Whole(w)) w.wrong = kOldPresence;
    r.presence = std::max(r.presence, m);
    return;
  }
  const uint8_t bit = Bit(m);
  // What was in offline storage comes when it comes, with its delay (XEP-0203).
  const bool in_order = !(written & kStored) && !(w.was_stored & bit);
  if (Whole(w)) {
    if (in_order && m < r.newest) w.wrong = kOutOfOrder;
    if (r.got_here & bit) w.wrong = kDoubledInSession;
    if ((w.confirmed & bit) && !(r.got_here & bit)) w.wrong = kConfirmedCameAgain;
  }
  if (in_order) r.newest = std::max(r.newest, m);
  r.got |= bit;
  r.got_here |= bit;
}

// What nobody reads any more is not kept.
void Model::Write(World& w, int connection, uint8_t stanza) const {
  RecipientConnection& c = w.to[connection];
  if (w.recipient.state != kConnected || w.recipient.connection != connection) return;
  c.pipe[c.pipe_size++] = stanza;
}

void Model::RecipientClient(Adder& add) const {
  const Recipient& client = add.at.recipient;
  const RecipientConnection& c = add.at.to[client.connection];
  switch (client.state) {
    case kConnected:
      if (c.pipe_size > 0) {
        World& w = add.Step("the recipient receives %", c.pipe[0] & kNumber);
        RecipientConnection& mine = w.to[client.connection];
        const uint8_t written = mine.pipe[0];
        std::copy(mine.pipe + 1, mine.pipe + kPipe, mine.pipe);
        mine.pipe[kPipe - 1] = 0;
        --mine.pipe_size;
        Receive(w, written);
      }
      if (c.confirmed < client.h) {
        World& w = add.Step("the recipient confirms %", client.h);
        w.to[client.connection].confirmed = client.h;
      }
      break;
    case kAway:
      if (client.used == bounds_.recipient_connections) break;
      for (int server = 0; server < (bounds_.servers > 0 ? kServers : 1); ++server) {
        World& w = add.Step("the recipient asks server % to resume, over connection %", server,
                            client.used);
        w.recipient.state = kResuming;
        w.recipient.connection = w.recipient.used++;
        w.recipient.server = static_cast<uint8_t>(server);
      }
      break;
    case kResuming:
      RecipientResumes(add);
      break;
    case kOver:
      RecipientLogsIn(add);
      break;
  }
}

void Model::RecipientResumes(Adder& add) const {
  const Recipient& client = add.at.recipient;
  const bool again = client.asked != 0;
  if (again) {
    World& w = add.Step("the recipient is resumed");
    RecipientConnection& c = w.to[client.connection];
    c = {};
    c.socket = kOpen;
    c.epoch = client.epoch;
    c.session = client.session;
    c.written = c.confirmed = client.h;
    c.announced = client.generation == w.sql.generation;
    Recipient& r = w.recipient;
    r.state = kConnected;
    r.asked = r.epoch = r.generation = r.server = 0;
    if (w.owed && !Broken(Mutant::kNoRedelivery)) {
      r.coming = kAvailable;
      r.reading = r.row = 0;
    }
  }
  if (again && add.at.budget.repeats == 0) return;
  World& w = again ? add.Fault("the recipient's resumption is asked again, h=%", client.h)
                   : add.Step("the recipient's resumption reaches Redis, h=%", client.h);
  if (again) --w.budget.repeats;
  Recipient& r = w.recipient;
  uint8_t messages = 0;
  const auto how = ResumeRecipient(bounds_, w.redis, w.sql.generation, r.session, r.connection, r.h,
                                   &messages);
  if (how == Resumption::kResumed) {
    r.asked = 1;
    r.epoch = w.redis.recipient.epoch;
    r.generation = w.sql.generation;
    w.confirmed |= messages;
    w.sql.confirmed |= messages & MaskOf('D');
    if (w.over[r.session]) w.wrong = kResumedAfterEnd;
    RecipientWrites(w, {r.epoch, r.connection});
    return;
  }
  if (how == Resumption::kHigh && Whole(w)) w.wrong = kHTooHigh;
  if (how == Resumption::kLow && Whole(w)) w.wrong = kHTooLow;
  r.state = kOver;
  r.asked = r.epoch = r.generation = r.server = 0;
  --r.used;  // it logs in over the same connection
}

void Model::RecipientLogsIn(Adder& add) const {
  const World& at = add.at;
  if (at.recipient.session + 1 >= bounds_.recipient_sessions ||
      at.recipient.used == bounds_.recipient_connections) {
    return;
  }
  // One ended outbox at a time is enough.
  if (at.redis.recipient.exists && at.redis.ended.exists) return;
  World& w = add.Step("the recipient logs in anew");
  Recipient& r = w.recipient;
  if (w.redis.recipient.exists) w.over[w.redis.recipient.session] = 1;
  ++r.session;
  r.connection = r.used++;
  BindScript(bounds_, w.redis, w.sql.generation, r.session, r.connection);
  const Owner owner{w.redis.recipient.epoch, r.connection};
  if (owner.epoch <= w.recipient_epoch && Whole(w)) w.wrong = kEpochNotHigher;
  RecipientWrites(w, owner);
  RecipientConnection& c = w.to[r.connection];
  c = {};
  c.socket = kOpen;
  c.epoch = owner.epoch;
  c.session = r.session;
  c.announced = 1;
  r.state = kConnected;
  r.h = r.got_here = r.newest = r.presence = r.reading = r.row = 0;
  r.coming = Broken(Mutant::kReadBeforeAvailable) ? kReadEarly : kBound;
}

void Model::AnnounceRecipient(Adder& add, int c) const {
  World& w = add.Step("the recipient's connection % is announced", c);
  RecipientConnection& mine = w.to[c];
  Row& row = w.redis.recipient;
  const Owner owner{mine.epoch, static_cast<uint8_t>(c)};
  const bool stood = row.exists && row.session == mine.session && w.redis.out.exists;
  if (!AnnounceRow(bounds_, row, owner, mine.session, w.sql.generation)) {
    mine = {};
    if (w.recipient.state == kConnected && w.recipient.connection == c) w.recipient.state = kAway;
    return;
  }
  RecipientWrites(w, owner);
  AnnounceOutbox(bounds_, w.redis, stood, mine.written);
  mine.announced = 1;
  // What lies behind the mark is given again.
  if (w.owed && !Broken(Mutant::kNoRedelivery)) {
    w.recipient.coming = kAvailable;
    w.recipient.reading = w.recipient.row = 0;
  }
}

void Model::RecipientManager(Adder& add, int c) const {
  const World& at = add.at;
  const RecipientConnection& connection = at.to[c];
  if (connection.socket == kNoConnection) return;
  if (!connection.announced) return AnnounceRecipient(add, c);
  const Owner owner{connection.epoch, static_cast<uint8_t>(c)};
  const Outbox& out = at.redis.out;
  const bool owns = Owns(at.redis.recipient, owner);
  const int next = connection.written + 1;
  if ((owns || Broken(Mutant::kPullUnfenced)) && connection.socket == kOpen &&
      connection.pipe_size < kPipe && out.last() >= next) {
    World& w = add.Step("connection % pulls entry % and writes it", c, next);
    if (!owns && w.redis.recipient.session == connection.session) w.wrong = kStrangerGivenEntries;
    if (next <= out.t && Whole(w)) w.wrong = kNumberSkipped;
    const int first = std::max<int>(next, out.t + 1);
    Write(w, c, StanzaAt(out, first));
    w.to[c].written = static_cast<uint8_t>(first);
  }
  const uint8_t confirmed =
      Broken(Mutant::kTrimWhenWritten) ? connection.written : connection.confirmed;
  if (owns && confirmed > out.t && confirmed <= out.last()) {
    World& w = add.Step("what connection % knows of confirmations is trimmed: %", c, confirmed);
    const uint8_t messages = TrimScript(w.redis, owner, confirmed);
    RecipientWrites(w, owner);
    w.sql.confirmed |= messages & MaskOf('D');
    w.confirmed |= messages;
    if ((w.confirmed & w.sql.errors) != 0) w.wrong = kErrorAndConfirmed;
  }
  if (connection.socket == kSocketGone) {
    World& w = add.Step("the recipient's connection % is closed and hibernates", c);
    if (owns) w.redis.recipient.hibernated = 1;
    w.to[c] = {};
  }
  if (NewerStands(at.redis.recipient, owner)) {
    World& w = add.Step("the recipient's connection % learns of its successor", c);
    w.to[c] = {};
    if (w.recipient.state == kConnected && w.recipient.connection == c) w.recipient.state = kAway;
  }
}

// The reaper, and the end of hibernation.
void Model::RecipientRow(Adder& add) const {
  const World& at = add.at;
  const Row& row = at.redis.recipient;
  const bool awaited = at.recipient.state == kResuming && at.recipient.asked &&
                       at.recipient.connection == row.connection;
  if (row.exists && !row.hibernated && !awaited &&
      at.to[row.connection].socket == kNoConnection) {
    add.Step("the recipient's row is reaped: it hibernates").redis.recipient.hibernated = 1;
  }
  if (!bounds_.time_out || !row.exists || !row.hibernated || at.redis.ended.exists) return;
  World& ended = add.Fault("session % of the recipient has waited long enough: it ends", row.session);
  ended.over[row.session] = 1;
  ExpireScript(ended.redis);
  if (Broken(Mutant::kFlushBeforeEnd) && at.sweep_early < at.redis.out.n) {
    World& w = add.Fault("entry % of a session that has not ended goes offline", at.sweep_early);
    const uint8_t entry = w.redis.out.entry[w.sweep_early++];
    const int m = entry & kNumber;
    if (!(entry & kPresence) && Kind(m) == 'D') StoreOffline(w, m);
  }
}

void Model::Hints(Adder& add) const {
  for (int i = 0; i < kHints; ++i) {
    const Hint& hint = add.at.hint[i];
    if (!hint.used) continue;
    World& w = add.Step("the push of entry % reaches connection %, or not", hint.number,
                        hint.connection);
    w.hint[i] = {};
    RecipientConnection& c = w.to[hint.connection];
    if (c.socket != kOpen || c.epoch != hint.epoch || c.pipe_size == kPipe || !c.announced) continue;
    if (hint.generation != w.sql.generation && !Broken(Mutant::kPushOfOldGeneration)) continue;
    const bool next = hint.number == c.written + 1;
    if (!next && !(Broken(Mutant::kPushIsTruth) && hint.number != c.written)) continue;
    Write(w, hint.connection, hint.stanza);
    c.written = hint.number;
  }
}

// Becoming available, then what waits.
void Model::BecomingAvailable(Adder& add) const {
  const World& at = add.at;
  const Recipient& r = at.recipient;
  if (r.coming == kThere) return;
  if (!at.redis.recipient.exists || at.redis.recipient.session != r.session) {
    if (r.state == kConnected) return;  // its row is on its way
    World& w = add.Step("nobody becomes available any more");
    w.recipient.coming = kThere;
    w.recipient.reading = w.recipient.row = 0;
    return;
  }
  int m = 1;
  while (m <= Count() && !(r.reading & Bit(m))) ++m;
  switch (r.coming) {
    case kReadEarly: {
      World& w = add.Step("what waits is read before anybody is available");
      w.recipient.reading = Waiting(w);
      w.recipient.coming = kBound;
      break;
    }
    case kBound: {
      World& w = add.Step("the recipient becomes available");
      w.redis.recipient.available = 1;
      w.recipient.coming = Broken(Mutant::kReadBeforeAvailable) ? kRead : kAvailable;
      break;
    }
    case kAvailable: {
      World& w = add.Step("what waits for the recipient is read");
      w.recipient.reading = Waiting(w);
      w.recipient.coming = kRead;
      break;
    }
    case kRead: {
      if (m > Count()) {
        World& w = add.Step("all that waited was given");
        w.recipient.coming = kThere;
        w.owed = w.lost;
        break;
      }
      World& w = add.Step("stanza % that waited is appended", m);
      w.recipient.row = w.sql.row[m];
      w.recipient.coming = kGiven;
      if (Broken(Mutant::kOfflineRowRemovedFirst)) {
        w.sql.offline = Without(w.sql.offline, m);
      } else if (Append(w, m, kServersOwn, r.session) == Appended::kGone) {
        add.Withdraw();
      }
      break;
    }
    case kGiven: {
      World& w = add.Step("the row of stanza % that waited is removed", m);
      if (Broken(Mutant::kOfflineRowRemovedFirst)) Append(w, m, kServersOwn, r.session);
      RemoveOffline(w, m, r.row);
      w.recipient.reading = Without(r.reading, m);
      w.recipient.row = 0;
      w.recipient.coming = kRead;
      break;
    }
    default:
      break;
  }
}

// business/session/outbox_sweeper.cc and business/routing/undelivered.cc.
void Model::EndedOutbox(Adder& add) const {
  const World& at = add.at;
  if (!at.redis.ended.exists) return;
  if (at.sweep_at >= at.redis.ended.n) {
    World& w = add.Step("the ended outbox is forgotten");
    w.redis.ended = {};
    w.redis.ended_session = 0;
    w.sweep_at = w.sweep = w.sweep_early = 0;
    return;
  }
  const uint8_t entry = at.redis.ended.entry[at.sweep_at];
  const int m = entry & kNumber;
  if ((entry & kPresence) != 0) {
    ++add.Step("presence in the ended outbox is dropped").sweep_at;
  } else if (Kind(m) == 'I') {
    World& w = add.Step("iq % was not confirmed: its sender gets an error", m);
    const bool first = (w.sql.errors & Bit(m)) == 0;
    w.sql.errors |= Bit(m);
    if (first || Broken(Mutant::kErrorTwice)) ++w.bounced[m];
    if (w.bounced[m] > 1) w.wrong = kTwoErrors;
    if (w.confirmed & Bit(m)) w.wrong = kErrorAndConfirmed;
    ++w.sweep_at;
  } else {
    EndedMessage(add, m);
  }
}

void Model::EndedMessage(Adder& add, int m) const {
  const World& at = add.at;
  if (Broken(Mutant::kForgetBeforeOffline) && at.sweep == kSweepLooks) {
    add.Step("the ended outbox is forgotten, with stanza % in hand", m).sweep = kSweepInHand;
    return;
  }
  switch (at.sweep) {
    case kSweepNobody: {
      World& w = add.Step("stanza % of the ended outbox goes to offline storage", m);
      StoreOffline(w, m);
      w.sweep = kSweepStored;
      return;
    }
    case kSweepStored:
      if (Available(at) && !Broken(Mutant::kNoSecondLook)) break;
      {
        World& w = add.Step("nobody has come meanwhile for stanza % of the ended outbox", m);
        ++w.sweep_at;
        w.sweep = kSweepLooks;
      }
      return;
    default:
      if (Available(at)) break;
      add.Step("nobody is there for stanza % of the ended outbox", m).sweep = kSweepNobody;
      return;
  }
  World& w = add.Step("stanza % of the ended outbox goes to another session", m);
  if (Append(w, m, kServersOwn, w.redis.recipient.session) == Appended::kGone) {
    add.Withdraw();
    return;
  }
  // Its row may also be of a sweep that ended before its second look.
  if (at.sweep == kSweepStored || !Broken(Mutant::kOfflineRowStays)) {
    RemoveOffline(w, m, at.sql.row[m]);
  }
  ++w.sweep_at;
  w.sweep = kSweepLooks;
}

}  // namespace model
