// One link: a loop's Attach stream to one business server.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connmgr/business_links.h"
#include "connmgr/link_session.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/rpc.h"
#include "lib/runtime/rpc_batch.h"

namespace xylem::v1 {
class Hello;
}

namespace connmgr {

class BusinessLink;

// What a link tells. Called in its own turn, never from inside a call into it.
class BusinessLinkEvents {
 public:
  virtual ~BusinessLinkEvents() = default;
  // What this side says first; the link adds its protocol versions.
  virtual xylem::v1::Hello OwnHello() = 0;
  // Hellos were exchanged.
  virtual void OnLinkUp(BusinessLink* link, const xylem::v1::Hello& hello) = 0;
  // It is lost, or could not be made. If it was up: what was sent and not answered may or may not
  // have arrived. May destroy the link.
  virtual void OnLinkDown(BusinessLink* link, bool was_up) = 0;
  // One item: field of Down's oneof, its bytes. False: it makes no sense, the link is given up.
  virtual bool OnItem(BusinessLink* link, int field, std::string_view item) = 0;
  // What was queued has left; there is room for announcements.
  virtual void OnLinkRoom(BusinessLink* link) = 0;
};

// Lives on its loop, owned by its LinkSet. Dials its address again and again, with back-off and
// jitter, until it is destroyed.
class BusinessLink final : private runtime::Timer {
 public:
  static constexpr uint64_t kMaxOwed = 16;  // Taken for that many does not wait
  // Announcements wait while more than this is queued; a link with more than the second is lost:
  // what it holds is kept in the windows as well (R7).
  static constexpr uint64_t kRoomBytes = 256 << 10;
  static constexpr uint64_t kMaxQueuedBytes = 64 << 20;

  enum class State : uint8_t {
    kWaiting,     // for the next attempt
    kConnecting,  // dialled; our Hello is out, theirs has not come
    kUp,
    kLost,  // gone, or given up; cleared at the end of the turn
  };

  struct Parts {
    runtime::EventLoop* loop;
    runtime::RpcClient* client;
    runtime::LinkCounters* counters;
    BusinessLinkEvents* events;
  };

  // `address` as gRPC takes it; `server_name`: what its certificate is for.
  BusinessLink(const Parts& parts, std::string address, std::string server_name);
  ~BusinessLink();

  void Dial();
  // A spare that is needed now.
  void DialSoon();

  const std::string& address() const { return address_; }
  State state() const { return state_; }
  bool up() const { return state_ == State::kUp; }
  const std::string& instance() const { return instance_; }
  uint64_t incarnation() const { return incarnation_; }

  // Takes no new sessions.
  bool draining = false;
  // Served by it.
  std::vector<std::string> domains;
  // The address is not in any list any more: destroyed once it is lost.
  bool retired = false;
  // Another way to a server that a link is up to: tried again only now and then, in case the
  // address has become somebody else's.
  bool spare = false;
  // Connections that have it for their home and are to be announced, oldest first.
  std::deque<uint64_t> to_announce;

  bool has_room() const { return up() && batch_.queued_bytes() < kRoomBytes; }

  // All of these do nothing unless it is up.
  void SendOpened(std::string_view opened);
  void SendNegotiate(std::string_view negotiate);
  // Stanza `in_seq` of the session's window; counts the attempt. `accept_soon`: see the message.
  void SendSubmit(const LinkSession& session, uint64_t in_seq, SubmissionWindow::Kept& kept,
                  bool accept_soon);
  void SendAnnounce(const LinkSession& session, uint64_t redis_generation);
  void SendPull(const LinkSession& session, uint32_t stanzas, uint32_t bytes);
  void SendClientAck(const LinkSession& session);
  void SendClosed(const LinkSession& session);
  void SendClosedUnbound(uint64_t connection, std::string_view reason);
  void SendMoved(uint64_t connection, uint64_t epoch);

  // Deliver `number` is handled, but for what was refused. False: not the next number. Where the
  // server understands late answers, Taken waits a little for something that goes the same way.
  bool Take(uint64_t number);
  void Refuse(uint64_t number, uint32_t target, TakenOutcome outcome);
  // What is owed leaves at the end of the turn.
  void AnswerNow();

  // Gives it up: a protocol error, or too much queued. OnLinkDown comes at the end of the turn.
  void Lose(std::string_view why);

 private:
  struct LossEnd final : runtime::TurnEnd {
    explicit LossEnd(BusinessLink* l)
        : TurnEnd([](TurnEnd* end) { static_cast<LossEnd*>(end)->link->FinishLoss(); }), link(l) {}
    BusinessLink* const link;
  };

  void OnTimer();
  void OnFrame(std::string_view frame);
  bool OnHello(std::string_view bytes);
  void OnWritable();
  void FinishLoss();
  void AddTaken();
  void WatchQueue();

  const Parts parts_;
  const std::string address_, server_name_;
  State state_ = State::kWaiting;
  std::string instance_;
  uint64_t incarnation_ = 0;
  uint64_t up_since_ms_ = 0;
  uint32_t failures_ = 0;  // in a row
  bool hopeless_ = false;  // wrong version: no hurry
  bool was_up_ = false;
  std::unique_ptr<runtime::RpcStream> stream_;
  runtime::RpcBatch batch_;
  std::string scratch_;
  // Taken, collected until a frame can leave.
  uint64_t handled_ = 0, taken_ = 0;
  bool late_answers_ = false;
  std::string refused_;
  LossEnd loss_end_{this};
};

}  // namespace connmgr
