// A client that sends, its managers, and the homes of its session.
#include <algorithm>

#include "tests/model/model.h"

namespace model {

void Model::SenderWrites(World& w, Owner owner) const {
  if (owner.epoch == w.sender_epoch && owner.connection != w.sender_writer) {
    w.wrong = kTwoWritersInAnEpoch;
  } else if (owner.epoch < w.sender_epoch && Whole(w)) {
    w.wrong = kOldEpochWrote;
  } else if (owner.epoch > w.sender_epoch) {
    w.sender_epoch = owner.epoch;
    w.sender_writer = owner.connection;
  }
}

void Model::SenderClient(Adder& add) const {
  const Sender& sender = add.at.sender;
  if (sender.state == kConnected) {
    const SenderConnection& c = add.at.from[sender.connection];
    if (sender.next <= Count() && c.submitted - c.accepted < bounds_.window) {
      World& w = add.Step("the sender sends stanza %", sender.next);
      w.from[sender.connection].submitted = w.sender.next;
      w.sender.sent = std::max(w.sender.sent, w.sender.next);
      ++w.sender.next;
    }
    const uint8_t h = Broken(Mutant::kAckWhenSubmitted) ? c.submitted : c.accepted;
    if (h > sender.h) {
      World& w = add.Step("the sender is told h=%", h);
      w.sender.h = h;
      if (h > w.redis.sender_in && Whole(w)) w.wrong = kHBeyondCommitted;
    }
  } else if (sender.state == kAway && sender.used < bounds_.sender_connections) {
    for (int server = 0; server < kServers; ++server) {
      World& w = add.Step("the sender asks server % to resume, over connection %", server,
                          sender.used);
      w.sender.state = kResuming;
      w.sender.connection = w.sender.used++;
      w.sender.server = static_cast<uint8_t>(server);
    }
  } else if (sender.state == kResuming) {
    SenderResumes(add);
  }
}

void Model::SenderResumes(Adder& add) const {
  const bool again = add.at.sender.asked != 0;
  if (again) SenderResumed(add.Step("the sender is resumed, h=%", add.at.sender.answer));
  if (again && add.at.budget.repeats == 0) return;
  World& w = again ? add.Fault("the sender's resumption is asked again")
                   : add.Step("the sender's resumption reaches Redis");
  if (again) --w.budget.repeats;
  Sender& sender = w.sender;
  if (ResumeSender(bounds_, w.redis, w.sql.generation, sender.connection) == Resumption::kResumed) {
    sender.asked = 1;
    sender.answer = w.redis.sender_in;
    sender.epoch = w.redis.sender.epoch;
    sender.generation = w.sql.generation;
    SenderWrites(w, {sender.epoch, sender.connection});
  } else {
    sender.state = kOver;
    sender.asked = sender.answer = sender.epoch = sender.generation = 0;
  }
}

// The answer of a resumption arrives: the manager and the new home take the session.
void Model::SenderResumed(World& w) const {
  Sender& sender = w.sender;
  const Sender answer = sender;
  sender.asked = sender.answer = sender.epoch = sender.generation = sender.server = 0;
  if (answer.answer < answer.h) {
    if (Whole(w)) w.wrong = kHDecreased;
    sender.state = kOver;  // after a loss of Redis the client starts anew (R10)
    return;
  }
  // R11: under a generation that has been raised meanwhile it has to be announced.
  const uint8_t announced = answer.generation == w.sql.generation;
  w.from[answer.connection] = {.socket = kOpen, .epoch = answer.epoch, .submitted = answer.answer,
                               .accepted = answer.answer, .turn = 0, .home = answer.server,
                               .announced = announced};
  Server& home = w.server[answer.server];
  Depart(home);
  home.knows = 1;
  home.connection = answer.connection;
  home.epoch = answer.epoch;
  home.taken = home.done = home.committed = answer.answer;
  sender.state = kConnected;
  sender.h = answer.answer;
  sender.next = static_cast<uint8_t>(answer.answer + 1);
}

void Model::SenderManager(Adder& add, int c) const {
  const SenderConnection& connection = add.at.from[c];
  if (connection.socket == kNoConnection) return;
  const Owner owner{connection.epoch, static_cast<uint8_t>(c)};
  const Server& home = add.at.server[connection.home];
  if (!connection.announced) {
    AnnounceSender(add, c);
  } else if (home.knows && home.connection == c && home.turn == connection.turn) {
    // Submitted again is what was not accepted; taken is the successor of what was taken.
    const bool gap = home.taken < connection.accepted;
    if (home.taken < connection.submitted && (!gap || Broken(Mutant::kGapAccepted))) {
      World& w = add.Step("server % takes what connection % submits", connection.home, c);
      w.server[connection.home].taken = connection.submitted;
    }
    const uint8_t told = Broken(Mutant::kAckBeforeCommit) ? home.done : home.committed;
    if (told > connection.accepted) {
      World& w = add.Step("server % says accepted up to %", connection.home, told);
      w.from[c].accepted = told;
    }
  }
  if (connection.socket == kSocketGone) {
    World& w = add.Step("the sender's connection % is closed and hibernates", c);
    if (Owns(w.redis.sender, owner)) w.redis.sender.hibernated = 1;
    w.from[c] = {};
  }
  if (NewerStands(add.at.redis.sender, owner)) {
    World& w = add.Step("the sender's connection % learns of its successor", c);
    w.from[c] = {};
  }
}

void Model::AnnounceSender(Adder& add, int c) const {
  World& w = add.Step("the sender's connection % is announced to server %", c,
                      add.at.from[c].home);
  SenderConnection& connection = w.from[c];
  const Owner owner{connection.epoch, static_cast<uint8_t>(c)};
  if (!AnnounceRow(bounds_, w.redis.sender, owner, 0, w.sql.generation)) {
    connection = {};
    if (w.sender.state == kConnected && w.sender.connection == c) w.sender.state = kAway;
    return;
  }
  SenderWrites(w, owner);
  if (!w.redis.sender_sm) {
    w.redis.sender_sm = 1;
    w.redis.sender_in = 0;
  }
  if (!Broken(Mutant::kAnnounceForgetsAccepted)) {
    w.redis.sender_in = std::max(w.redis.sender_in, connection.accepted);
  }
  connection.announced = 1;
  Server& home = w.server[connection.home];
  Depart(home);
  home.knows = 1;
  home.connection = static_cast<uint8_t>(c);
  home.epoch = connection.epoch;
  home.turn = connection.turn;
  home.taken = home.done = home.committed = w.redis.sender_in;
}

// A dead manager's row, or one whose resumption nobody waits for.
void Model::SenderReaper(Adder& add) const {
  const Row& row = add.at.redis.sender;
  const Sender& sender = add.at.sender;
  const bool awaited =
      sender.state == kResuming && sender.asked && sender.connection == row.connection;
  if (!row.exists || row.hibernated || awaited) return;
  if (add.at.from[row.connection].socket != kNoConnection) return;
  add.Step("the sender's row is reaped: it hibernates").redis.sender.hibernated = 1;
}

// What it works on goes on as something late; all else of the session it forgets.
void Model::Depart(Server& s) const {
  if (s.step != kIdle && s.knows && s.job_connection == s.connection && s.job_epoch == s.epoch &&
      s.job_turn == s.turn) {
    s.job_committed = s.committed;
  }
  s.knows = s.connection = s.epoch = s.turn = 0;
  s.taken = s.done = s.committed = 0;
}

void Model::SenderHome(Adder& add, int number) const {
  const Server& home = add.at.server[number];
  if (home.step != kIdle) Job(add, number);
  if (!home.knows) return;
  const SenderConnection& c = add.at.from[home.connection];
  const Owner owner{home.epoch, home.connection};
  if (c.socket == kNoConnection || c.home != number || c.turn != home.turn ||
      c.epoch != home.epoch) {
    Depart(add.Step("server % learns that the sender's connection % went", number, home.connection)
               .server[number]);
  }
  uint8_t next = static_cast<uint8_t>(home.done + 1);
  if (Broken(Mutant::kGapAccepted)) next = std::max(next, home.taken);
  if (home.step == kIdle && next <= home.taken) {
    World& w = add.Step("server % may begin with stanza %", number, next);
    Server& mine = w.server[number];
    if (Owns(w.redis.sender, owner)) {
      const bool in_sql = Kind(next) != 'D' || (w.sql.rows & Bit(next));
      mine.step = in_sql ? kInSql : kChecked;
      mine.stanza = next;
      mine.job_connection = mine.connection;
      mine.job_epoch = mine.epoch;
      mine.job_turn = mine.turn;
    } else if (NewerStands(w.redis.sender, owner)) {
      Depart(mine);
    } else {
      add.Withdraw();  // its row is on its way
    }
  }
  if (home.done > home.committed) {
    World& w = add.Step("server % commits up to %", number, home.done);
    Server& mine = w.server[number];
    if (CommitScript(bounds_, w.redis, owner, home.done)) {
      SenderWrites(w, owner);
      mine.committed = mine.done;
    } else if (NewerStands(w.redis.sender, owner)) {
      Depart(mine);
    } else {
      add.Withdraw();
    }
  }
}

void Model::Finish(World& w, int number) const {
  Server& s = w.server[number];
  const bool current = s.knows && s.job_connection == s.connection && s.job_epoch == s.epoch &&
                       s.job_turn == s.turn;
  if (Broken(Mutant::kNoTurnCheck) && s.knows && s.job_epoch == s.epoch) {
    ++s.done;
  } else if (current && s.stanza > s.done) {
    s.done = s.stanza;
  }
  s.step = s.stanza = s.target = s.row = 0;
  s.job_connection = s.job_epoch = s.job_turn = s.job_committed = 0;
}

// One step of a stanza's way: owner, SQL, outbox or offline storage.
void Model::Job(Adder& add, int number) const {
  const int m = add.at.server[number].stanza;
  switch (add.at.server[number].step) {
    case kChecked: {
      World& w = add.Step("SQL has stanza % of server %", m, number);
      if (!Broken(Mutant::kNoSqlBeforeAccept)) w.sql.rows |= Bit(m);
      w.server[number].step = kInSql;
      break;
    }
    case kInSql:
      JobFindsSomebody(add, number);
      break;
    case kLookedUp:
      JobAppends(add, number);
      break;
    case kNobody: {
      World& w = add.Step("server % puts stanza % in offline storage", number, m);
      w.server[number].row = StoreOffline(w, m);
      w.server[number].step = kOffline;
      break;
    }
    case kOffline:
      JobLooksAgain(add, number);
      break;
    case kSentAfterAll: {
      World& w = add.Step("server % removes the offline row of stanza %", number, m);
      RemoveOffline(w, m, w.server[number].row);
      Finish(w, number);
      break;
    }
    default:
      break;
  }
}

void Model::JobFindsSomebody(Adder& add, int number) const {
  const World& at = add.at;
  const int m = at.server[number].stanza;
  const char kind = Kind(m);
  const bool forgetful = Broken(Mutant::kErrorForConfirmed);
  if (kind == 'I' && (at.sql.errors & Bit(m)) && !forgetful) {
    // R9: its sender has been answered; `seen` of the sender's account knows.
    Finish(add.Step("iq % of server % was answered before", m, number), number);
  } else if (Available(at) || (kind == 'I' && at.redis.recipient.exists)) {
    World& w = add.Step("server % finds session % for its stanza", number,
                        at.redis.recipient.session);
    w.server[number].step = kLookedUp;
    w.server[number].target = static_cast<uint8_t>(at.redis.recipient.session + 1);
  } else if (!forgetful && SeenByAnybody(at, m)) {
    // R2: who had it is no more; what was not confirmed is dealt with as all that session left.
    Finish(add.Step("stanza % of server % was delivered before", m, number), number);
  } else {
    World& w = add.Step("nobody is there for stanza % of server %", m, number);
    if (kind == 'D') {
      w.server[number].step = kNobody;
      return;
    }
    if (kind == 'I') {
      w.sql.errors |= Bit(m);
      if (w.confirmed & Bit(m)) w.wrong = kErrorAndConfirmed;
    }
    Finish(w, number);
  }
}

void Model::JobAppends(Adder& add, int number) const {
  const Server& home = add.at.server[number];
  const int m = home.stanza;
  const bool late = !home.knows || home.job_connection != home.connection ||
                    home.job_epoch != home.epoch || home.job_turn != home.turn;
  World& w = add.Step("server % appends stanza %", number, m);
  Server& mine = w.server[number];
  const Appended how = Append(w, m, late ? home.job_committed : home.committed,
                              static_cast<uint8_t>(home.target - 1));
  if (how == Appended::kGone) {
    mine.step = kInSql;
    mine.target = 0;
  } else if (how != Appended::kElsewhere && (w.sql.offline & Bit(m)) &&
             !Broken(Mutant::kOfflineRowStays)) {
    // Put there by a server that died before it looked a second time.
    mine.row = w.sql.row[m];
    mine.target = 0;
    mine.step = kSentAfterAll;
  } else {
    Finish(w, number);
  }
}

void Model::JobLooksAgain(Adder& add, int number) const {
  const int m = add.at.server[number].stanza;
  if (Broken(Mutant::kNoSecondLook) || !Available(add.at)) {
    Finish(add.Step("nobody has come meanwhile: server % has done stanza %", number, m), number);
    return;
  }
  World& w = add.Step("somebody came: server % appends stanza % after all", number, m);
  if (Append(w, m, kServersOwn, w.redis.recipient.session) == Appended::kGone) {
    add.Withdraw();
  } else {
    w.server[number].step = kSentAfterAll;
  }
}

}  // namespace model
