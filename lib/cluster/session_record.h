// What the cluster knows of one session: the row in the registry.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cluster {

// generation (high 24 bits) and the account's counter (low 40 bits); strictly increasing per
// account (R11). Written as 16 hex digits, so that text order is number order.
using Epoch = uint64_t;
constexpr int kEpochCounterBits = 40;
std::string EpochText(Epoch epoch);
std::optional<Epoch> ParseEpoch(std::string_view text);

// Who may write for a session; equality or FENCED (R3).
struct Owner {
  std::string manager;  // instance name
  uint64_t incarnation = 0;
  uint64_t connection = 0;
  Epoch epoch = 0;
  friend bool operator==(const Owner&, const Owner&) = default;
};

enum SessionFlag : uint64_t {
  kSessionCarbons = 1 << 0,
  kSessionStreamManagement = 1 << 1,
  kSessionInactive = 1 << 2,    // XEP-0352
  kSessionInterested = 1 << 3,  // asked for its roster
  kSessionHibernated = 1 << 4,  // no socket, waits for resumption
  kSessionBlockList = 1 << 5,   // XEP-0191: asked for the block list
};

struct SessionRecord {
  Owner owner;
  std::string session;   // 16 random bytes
  std::string resource;  // normalised
  uint64_t flags = 0;
  bool available = false;
  int32_t priority = 0;
  uint64_t presence_number = 0;
  // The Redis generation under which the row was bound or last announced: what a restored, older
  // copy brought back is told by it.
  uint64_t announced_generation = 0;
  uint64_t since_ms = 0;  // wall clock at bind
  std::string peer_address;
  std::string presence;  // newest available presence, canonical without addresses

  // One line of text with a version in front, then presence, binary-safe:
  //   1 <epoch> <manager> <incarnation> <connection> <session> <announced generation>
  //   <presence number> <since> <flags> <available> <priority> <peer> [what later versions add]\n
  // Epoch to presence number are hexadecimal of fixed width, so that scripts compare them as text.
  std::string Write() const;
  // nullopt: another version, or damaged.
  static std::optional<SessionRecord> Parse(std::string_view resource, std::string_view text);
};

// The front of a row: a script sees by it whether an owner still owns. Ends in a blank.
std::string OwnerText(const Owner& owner);

// Parts of a row that scripts put together again.
struct SessionRecordText {
  std::string owner;            // OwnerText
  std::string session;          // 32 hex digits
  std::string generation;       // 16 hex digits
  std::string presence_number;  // 16 hex digits
  std::string rest;             // from <since> on, presence included
};
SessionRecordText WriteParts(const SessionRecord& record);

std::string ManagerWord(std::string_view manager);  // as it stands in a row
std::string HexText(uint64_t number);               // 16 digits
std::string HexBytes(std::string_view bytes);       // lower case

}  // namespace cluster
