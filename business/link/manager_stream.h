// One Attach stream: a manager loop's conversation with us (proto/connmgr_business.proto).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "business/link/delivery_part.h"
#include "business/link/manager_links.h"
#include "business/link/pending_deliveries.h"
#include "business/link/route_table.h"
#include "business/link/taken_reader.h"
#include "lib/runtime/rpc.h"
#include "lib/runtime/rpc_batch.h"

namespace xylem::v1 {
class Control;
class Hello;
}  // namespace xylem::v1

namespace business {

// Per loop, read by any thread.
struct LinkLoopCounters {
  runtime::LinkCounters link;
  runtime::LoopCounter handed_over, refused_full, protocol_errors;
};

// Lives on its loop; whoever answers on it may hold it longer than the stream lasts.
class ManagerStream final : public ManagerLink, public std::enable_shared_from_this<ManagerStream> {
 public:
  // R7: beyond either, deliveries are refused. What answers a submission is bounded by the
  // sessions' windows and always goes.
  static constexpr uint64_t kMaxQueuedBytes = 64 << 20;
  static constexpr uint64_t kMaxQueuedItems = 200'000;
  static constexpr uint64_t kDeliverDeadlineMs = 20'000;
  static constexpr uint64_t kHelloDeadlineMs = 10'000;
  static constexpr uint32_t kProtocol = 1;  // the one version spoken
  static constexpr char kLateAnswers[] = "late-answers";
  static constexpr size_t kMaxOwed = 16;  // Accepted for that many sessions does not wait

  enum class State : uint8_t {
    kHello,     // nothing has come
    kClaiming,  // its predecessor must go first; what comes is kept
    kUp,
    kDown,
  };

  // The loop it lives on. Calls come on that loop.
  class Home {
   public:
    virtual ~Home() = default;
    virtual runtime::EventLoop& loop() = 0;
    virtual ManagerEvents& events() = 0;
    virtual LinkLoopCounters& counters() = 0;
    virtual xylem::v1::Hello OurHello() = 0;
    // Its Hello is good: once it may stand for its key(), call Established.
    virtual void OnHello(const std::shared_ptr<ManagerStream>& stream) = 0;
    virtual void OnUp(const std::shared_ptr<ManagerStream>& stream) = 0;
    virtual void OnDown(const std::shared_ptr<ManagerStream>& stream) = 0;
    // It stands for its key() no more.
    virtual void OnReleased(const ManagerStream& stream) = 0;
    // The RPC is over, nothing will come of it any more. Last call.
    virtual void OnOver(const std::shared_ptr<ManagerStream>& stream) = 0;
    virtual void OnAnswered(PartResult result) = 0;
  };

  ManagerStream(Home* home, uint64_t id, int loops, std::unique_ptr<runtime::RpcStream> rpc);
  ~ManagerStream() override;

  void Start();
  // See Home::OnHello.
  void Established();
  // A newer stream takes its place: goes down; `gone` runs once it is, on this loop.
  void GiveWay(runtime::Callback gone);
  // Goes down; what is queued may still leave, then the RPC ends. OnOver follows.
  void Close(std::string_view reason);
  // Goes down and is cut. OnOver follows.
  void Cut(std::string_view reason);
  // About once a second: deadlines.
  void Tick(uint64_t now_ms);

  // Sends one Deliver item, or refuses; either way `ref` is answered once.
  void Deliver(const DeliveryRef& ref, const DeliverBody& body,
               const std::vector<DeliverTarget>& targets);
  void SendControl(const xylem::v1::Control& control);
  // Something waits for what becomes of the deliveries so far.
  void AskTaken();

  uint64_t id() const { return id_; }
  State state() const { return state_; }
  const ManagerLoop& key() const { return key_; }
  int loop_index() const { return loop_index_; }  // any thread

  // ManagerLink
  const std::string& manager() const override { return key_.manager; }
  uint64_t incarnation() const override { return key_.incarnation; }
  bool alive() const override { return state_ == State::kUp; }
  void SendNegotiated(xylem::v1::Negotiated answer) override;
  void SendAccepted(uint64_t connection, cluster::Epoch epoch, uint64_t up_to) override;
  void AcceptNow() override;
  void SendTicket(uint64_t connection, cluster::Epoch epoch, std::string ticket) override;
  void SendEnded(uint64_t connection, cluster::Epoch epoch) override;
  void SendClose(uint64_t connection, cluster::Epoch epoch, xmpp::StreamError error) override;
  void SendFenced(uint64_t connection, cluster::Epoch epoch) override;
  void SendGap(uint64_t connection, cluster::Epoch epoch, uint64_t expected) override;

 private:
  struct Accepted {
    uint64_t connection, up_to;
    cluster::Epoch epoch;
  };
  struct Parsed;  // messages whose storage is used again

  bool Ready();
  bool full() const;
  void OnFrame(std::string_view frame);
  void OnWritable();
  void OnRpcClosed(std::string_view reason);
  void HandleFrame(std::string_view frame);
  void HandleHello(std::string_view bytes);
  bool HandleItem(int field, std::string_view bytes);  // false: malformed
  bool HandleTaken(std::string_view bytes);
  void AddAnswers();
  void AddAllAccepted();
  void AddAccepted(const Accepted& one);
  void ProtocolError(std::string_view what);
  void GoDown(std::string_view reason);
  void Release();

  Home* const home_;
  const uint64_t id_;
  const int loop_index_;
  const uint64_t started_ms_;
  State state_ = State::kHello;
  bool claimed_ = false;   // stands for key_, or waits to
  bool claiming_ = false;  // the predecessor has not gone yet
  bool closing_ = false;   // ends when the queue is empty
  ManagerLoop key_;
  std::unique_ptr<runtime::RpcStream> rpc_;
  runtime::RpcBatch batch_;
  PendingDeliveries pending_;
  std::vector<uint64_t> refused_below_;  // by issuing loop: versions that are refused, see Route
  std::vector<std::string> kept_;        // frames that came while claiming
  size_t kept_bytes_ = 0;
  std::vector<runtime::Callback> when_gone_;
  bool late_answers_ = false;
  std::vector<Accepted> accepted_;  // put off, until a frame leaves
  uint64_t asked_up_to_ = 0;        // Taken for these numbers is asked for, or was
  bool ask_ = false;
  std::unique_ptr<Parsed> parsed_;
  Taken taken_;
  std::string scratch_;
};

}  // namespace business
