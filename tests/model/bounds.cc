#include "tests/model/bounds.h"

#include <array>

namespace model {
namespace {

// A mutant's name, and the usual bounds in which it is caught.
struct MutantRow {
  std::string_view name, caught_in;
};

constexpr std::string_view kServersDie = "sender: business servers die";
constexpr std::string_view kLinks = "sender: links and resumption";
constexpr std::string_view kTwoLinks = "sender: presence over two links";
constexpr std::string_view kResumption = "recipient: resumption";
constexpr std::string_view kTimeOut = "recipient: time-out";
constexpr std::string_view kRedisLost = "Redis lost";
constexpr std::string_view kRedisLostAndSocket = "Redis lost, and a socket";
constexpr std::string_view kRedisRestored = "Redis restored";

constexpr std::array<MutantRow, static_cast<size_t>(Mutant::kCount)> kMutants{{
    {"none", ""},
    {"ack_when_submitted", kServersDie},
    {"ack_before_commit", kServersDie},
    {"no_sql_before_accept", kServersDie},
    {"no_seen", kServersDie},
    {"seen_forgets_committed", kLinks},
    {"seen_by_origin", kTimeOut},
    {"seen_by_session", kTimeOut},
    {"no_second_look", kTimeOut},
    {"read_before_available", kTimeOut},
    {"offline_row_removed_first", kTimeOut},
    {"offline_row_stays", kTimeOut},
    {"remove_by_effect", kRedisLostAndSocket},
    {"resume_keeps_epoch", kResumption},
    {"append_unchecked", kTimeOut},
    {"commit_unfenced", kLinks},
    {"pull_unfenced", kResumption},
    {"blind_repeat", kResumption},
    {"gap_accepted", kServersDie},
    {"no_turn_check", kTwoLinks},
    {"late_presence", kTwoLinks},
    {"push_is_truth", kServersDie},
    {"trim_when_written", kServersDie},
    {"renumber_before_trim", kResumption},
    {"renumber_with_gaps", kResumption},
    {"resume_after_end", kTimeOut},
    {"flush_before_end", kTimeOut},
    {"forget_before_offline", kTimeOut},
    {"error_twice", kTimeOut},
    {"error_for_confirmed", kTimeOut},
    {"no_redelivery", kRedisLost},
    {"mark_when_appended", kRedisLost},
    {"seen_outlives_outbox", kRedisRestored},
    {"no_generation", kRedisLostAndSocket},
    {"announce_forgets_accepted", kRedisLost},
    {"announce_forgets_written", kRedisLost},
    {"scripts_before_check", kRedisRestored},
    {"append_before_announced", kRedisRestored},
    {"push_of_old_generation", kRedisLost},
    {"announce_over_newer", kLinks},
}};

}  // namespace

std::string_view MutantName(Mutant mutant) { return kMutants[static_cast<size_t>(mutant)].name; }

Bounds BoundsThatCatch(Mutant mutant) {
  const std::string_view name = kMutants[static_cast<size_t>(mutant)].caught_in;
  for (Bounds bounds : UsualBounds()) {
    if (bounds.name != name) continue;
    bounds.mutant = mutant;
    return bounds;
  }
  return {};
}

std::vector<Bounds> UsualBounds() {
  return {
      {.name = std::string(kServersDie), .stanzas = "DD", .sender_connections = 1,
       .recipient_connections = 1, .servers = 2},
      {.name = std::string(kLinks), .stanzas = "DD", .sender_connections = 2,
       .recipient_connections = 1, .sockets = 1, .links = 1},
      {.name = std::string(kTwoLinks), .stanzas = "VV", .sender_connections = 1,
       .recipient_connections = 1, .links = 2},
      {.name = std::string(kResumption), .stanzas = "VVD", .sender_connections = 1,
       .recipient_connections = 2, .sockets = 1, .repeats = 1},
      {.name = "recipient: managers die", .stanzas = "VD", .sender_connections = 2,
       .recipient_connections = 2, .managers = 1},
      {.name = std::string(kTimeOut), .stanzas = "DI", .sender_connections = 1,
       .recipient_connections = 2, .recipient_sessions = 2, .sockets = 1, .servers = 1,
       .time_out = true},
      {.name = std::string(kRedisLost), .stanzas = "DD", .sender_connections = 1,
       .recipient_connections = 1, .wipes = 1},
      {.name = std::string(kRedisLostAndSocket), .stanzas = "D", .sender_connections = 1,
       .recipient_connections = 2, .recipient_sessions = 2, .sockets = 1, .wipes = 1},
      {.name = std::string(kRedisRestored), .stanzas = "DD", .sender_connections = 1,
       .recipient_connections = 1, .restores = 1},
  };
}

std::vector<Bounds> LargeBounds() {
  return {
      {.name = "sender: servers, links and resumption", .stanzas = "DD", .sender_connections = 2,
       .recipient_connections = 1, .sockets = 1, .servers = 1, .links = 1},
      {.name = "recipient: sockets and managers", .stanzas = "VVD", .sender_connections = 1,
       .recipient_connections = 3, .sockets = 1, .managers = 1, .repeats = 1},
      {.name = "recipient: time-out after resumption", .stanzas = "DI", .sender_connections = 1,
       .recipient_connections = 3, .recipient_sessions = 2, .sockets = 1, .servers = 1,
       .time_out = true},
      {.name = "time-out and links", .stanzas = "DD", .sender_connections = 1,
       .recipient_connections = 2, .recipient_sessions = 2, .sockets = 1, .links = 1,
       .time_out = true},
      {.name = "Redis lost, and a manager", .stanzas = "DD", .sender_connections = 2,
       .recipient_connections = 2, .recipient_sessions = 2, .managers = 1, .wipes = 1},
      {.name = "Redis restored, and a socket lost", .stanzas = "DD", .sender_connections = 1,
       .recipient_connections = 2, .recipient_sessions = 2, .sockets = 1, .restores = 1},
  };
}

}  // namespace model
