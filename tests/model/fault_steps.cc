// What may go wrong, as often as the bounds allow.
#include <algorithm>

#include "tests/model/model.h"

namespace model {

// A business server's memory is gone; managers take their sessions to the other one.
void Model::ServerGone(World& w, int number) const {
  w.server[number] = {};
  for (SenderConnection& c : w.from) {
    if (c.socket == kNoConnection || c.home != number) continue;
    c.home ^= 1;
    ++c.turn;
    c.announced = 0;
  }
  Sender& s = w.sender;
  if (s.state == kResuming && s.server == number) {
    s.state = kAway;
    s.asked = s.answer = s.epoch = s.generation = s.server = 0;
  }
  Recipient& r = w.recipient;
  if (r.state == kResuming && r.server == number) {
    r.state = kAway;
    r.asked = r.epoch = r.generation = r.server = 0;
  }
  // Whoever dealt with what had ended or waited begins again.
  if (w.sweep == kSweepInHand) w.redis.ended = {};
  w.sweep_at = w.sweep = 0;
  if (r.coming > kAvailable) {
    r.coming = kAvailable;
    r.reading = r.row = 0;
  }
}

void Model::ManagerGone(World& w, int manager) const {
  for (int c = manager; c < kConnections; c += 2) {
    w.from[c] = {};
    w.to[c] = {};
  }
  Sender& s = w.sender;
  if (s.connection % 2 == manager && (s.state == kConnected || s.state == kResuming)) {
    s.state = kAway;
    s.asked = s.answer = s.epoch = s.generation = s.server = 0;
  }
  Recipient& r = w.recipient;
  if (r.connection % 2 == manager && (r.state == kConnected || r.state == kResuming)) {
    r.state = kAway;
    r.asked = r.epoch = r.generation = r.server = 0;
  }
}

// With its manager seeing it, or not: that one may be slow, stopped, or cut off.
void Model::LostSockets(Adder& add) const {
  const World& at = add.at;
  if (at.budget.sockets == 0) return;
  for (const uint8_t seen : {1, 0}) {
    if (at.sender.state == kConnected && bounds_.sender_connections > 1) {
      World& w = seen ? add.Fault("the sender loses its socket, connection %", at.sender.connection)
                      : add.Fault("the sender loses its socket %, and its manager sees nothing",
                                  at.sender.connection);
      --w.budget.sockets;
      if (seen) w.from[w.sender.connection].socket = kSocketGone;
      w.sender.state = kAway;
    }
    if (at.recipient.state == kConnected && bounds_.recipient_connections > 1) {
      World& w = seen ? add.Fault("the recipient loses its socket, connection %",
                                  at.recipient.connection)
                      : add.Fault("the recipient loses its socket %, and its manager sees nothing",
                                  at.recipient.connection);
      --w.budget.sockets;
      RecipientConnection& c = w.to[w.recipient.connection];
      if (seen) c.socket = kSocketGone;
      c.pipe_size = 0;
      std::fill(c.pipe, c.pipe + kPipe, 0);
      w.recipient.state = kAway;
    }
  }
}

void Model::Faults(Adder& add) const {
  const World& at = add.at;
  LostSockets(add);
  for (int m = 0; m < 2 && at.budget.managers > 0; ++m) {
    World& w = add.Fault("kill -9 of manager %", m);
    --w.budget.managers;
    ManagerGone(w, m);
  }
  for (int s = 0; s < kServers && at.budget.servers > 0; ++s) {
    World& w = add.Fault("kill -9 of business server %", s);
    --w.budget.servers;
    ServerGone(w, s);
  }
  for (int c = 0; c < bounds_.sender_connections && at.budget.links > 0; ++c) {
    if (at.from[c].socket == kNoConnection) continue;
    World& w = add.Fault("connection % loses its link to server %", c, at.from[c].home);
    --w.budget.links;
    w.from[c].home ^= 1;
    ++w.from[c].turn;
    w.from[c].announced = 0;
  }
  RedisFaults(add);
}

void Model::RedisFaults(Adder& add) const {
  const World& at = add.at;
  const auto lose = [](World& w, const Redis& redis) {
    w.redis = redis;
    w.lost = w.owed = 1;
    w.sweep_at = w.sweep = w.sweep_early = 0;
    w.copy = {};
    w.has_copy = 0;
  };
  if (at.budget.wipes > 0) {
    World& w = add.Fault("Redis comes back empty");
    --w.budget.wipes;
    lose(w, {});
  }
  if (at.budget.restores == 0) return;
  if (!at.has_copy) {
    World& w = add.Fault("Redis is copied");
    w.has_copy = 1;
    w.copy = w.redis;
  } else {
    World& w = add.Fault("Redis comes back as the older copy");
    --w.budget.restores;
    lose(w, Redis(w.copy));
  }
}

// lib/cluster/generation.cc: the loss is noticed, and everybody announces.
void Model::NewGeneration(Adder& add) const {
  if (!add.at.lost) return;
  World& w = add.Step("the generation is raised");
  w.lost = 0;
  ++w.sql.generation;
  for (SenderConnection& c : w.from) {
    if (c.socket == kNoConnection) continue;
    c.announced = 0;
    ++c.turn;
  }
  for (RecipientConnection& c : w.to) c.announced = 0;
}

}  // namespace model
