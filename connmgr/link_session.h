// A connection as the links know it: where it negotiates or has its home, and what it still owes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "connmgr/business_links.h"
#include "connmgr/stream_management.h"
#include "connmgr/submission_window.h"

namespace connmgr {

class BusinessLink;

// Lives on its loop, owned by its LinkSet, from Register to Forget, or to Ended if it had a
// session.
struct LinkSession {
  enum class State : uint8_t {
    kNegotiating,
    kBound,
    kClosing,  // the socket is gone: Closed is said, until Ended comes
    kOver,     // fenced: nothing is owed any more; its stream has not left yet
  };

  // Before bind.
  struct Negotiation {
    // What a business server must know of the stream before it can judge an element.
    std::string opened;  // serialised Opened; empty: none yet
    BusinessLink* opened_at = nullptr;
    // Not sent yet, for want of a business server.
    bool open_waits = false;
    std::string element;    // serialised Negotiate
    bool exchange = false;  // an element is under way or SASL half done: stays where it is
    // Opened was repeated by us: its answer is not for the stream.
    uint32_t own_answers = 0;
    std::string ticket;  // from AUTHENTICATED on
  };

  struct Closing {
    std::string reason;
    bool resumable = false;
    uint64_t sent_ms = 0;  // 0 = not yet
  };

  bool Owns(uint64_t e) const { return e == epoch || (former_epoch != 0 && e == former_epoch); }
  // Takes over the epoch that the session was given under a newer Redis generation (R11). It comes
  // with the ticket only: the two must fit when the session is announced.
  void Renumber(uint64_t newer) {
    if (newer <= epoch || epoch == 0) return;
    former_epoch = epoch;
    epoch = newer;
  }
  bool WindowFull(const LinkLimits& limits) const {
    return window.size() >= limits.window_stanzas || window.bytes() >= limits.window_bytes;
  }

  // Is so much of it used that Accepted is waited for?
  bool WindowPresses(const LinkLimits& limits) const {
    return 2 * window.size() >= limits.window_stanzas || 2 * window.bytes() >= limits.window_bytes;
  }

  const uint64_t connection;
  LinkClient* client;  // null from Forget on
  BusinessLink* home = nullptr;
  std::string account;  // bare JID; empty before authentication
  std::string ticket;
  uint64_t epoch = 0;         // 0 before bind
  uint64_t former_epoch = 0;  // before a new generation renumbered it
  SubmissionWindow window;
  uint64_t enable_seq = 0;               // in_seq of <enable/>; 0 = it was not submitted
  std::unique_ptr<StreamManagement> sm;  // from <enabled/> on
  uint64_t gap_expected = 0;  // what the last Gap that was obeyed asked for,
  uint64_t gap_ms = 0;        // and when
  std::unique_ptr<Negotiation> negotiation;
  std::unique_ptr<Closing> closing;
  uint32_t turn = 0;
  State state = State::kNegotiating;
  bool attached = false;    // its home knows it: what is submitted may be sent at once
  bool queued = false;      // in its home's list of those to be announced
  bool unanswered = false;  // announced, and nothing came back yet
  bool misplaced = false;   // moves to a better home when its window is empty
  bool told_full = false;
  bool early = false;  // numbered deliveries came before <enabled/>

  LinkSession(uint64_t number, LinkClient* c) : connection(number), client(c) {}
};

}  // namespace connmgr
