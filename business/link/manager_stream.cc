#include "business/link/manager_stream.h"

#include <algorithm>
#include <utility>

#include "business/link/deliver_writer.h"
#include "lib/runtime/log.h"
#include "proto/connmgr_business.pb.h"

namespace business {
namespace {

using xylem::v1::Down;
using xylem::v1::Up;

constexpr size_t kMaxKeptBytes = 8 << 20;

template <typename Message>
bool Parse(std::string_view bytes, Message* message) {
  return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

struct ManagerStream::Parsed {
  xylem::v1::Opened opened;
  xylem::v1::Negotiate negotiate;
  xylem::v1::Submit submit;
  xylem::v1::Pull pull;
  xylem::v1::Announce announce;
  xylem::v1::Closed closed;
  xylem::v1::ClientAck client_ack;
  xylem::v1::Moved moved;
};

ManagerStream::ManagerStream(Home* home, uint64_t id, int loops,
                             std::unique_ptr<runtime::RpcStream> rpc)
    : home_(home),
      id_(id),
      loop_index_(home->loop().index()),
      started_ms_(home->loop().NowMs()),
      rpc_(std::move(rpc)),
      batch_(&home->loop(), &home->counters().link),
      refused_below_(static_cast<size_t>(loops), 0),
      parsed_(std::make_unique<Parsed>()) {
  batch_.set_before_flush([this] { AddAnswers(); });
}

ManagerStream::~ManagerStream() = default;

void ManagerStream::Start() {
  batch_.Attach(rpc_.get());
  rpc_->Start({.on_frame = [this](std::string_view frame) { OnFrame(frame); },
               .on_writable = [this] { OnWritable(); },
               .on_closed = [this](std::string reason) { OnRpcClosed(reason); }});
}

// --- coming and going

void ManagerStream::HandleHello(std::string_view bytes) {
  xylem::v1::Hello hello;
  if (!Parse(bytes, &hello) || hello.instance().empty() || hello.loop() >= kMaxManagerLoops) {
    return ProtocolError("hello");
  }
  key_ = {hello.instance(), hello.incarnation(), hello.loop()};
  if (hello.protocol_min() > kProtocol || hello.protocol_max() < kProtocol) {
    runtime::LogWarn("link_refused", "no protocol version in common with this manager",
                     {{"manager", key_.manager},
                      {"peer", rpc_->peer()},
                      {"protocol_min", hello.protocol_min()},
                      {"protocol_max", hello.protocol_max()},
                      {"ours", kProtocol}});
    batch_.AddHello(home_->OurHello());  // the other side can say in its log what is wrong
    return Close("no common protocol version");
  }
  late_answers_ = std::find(hello.features().begin(), hello.features().end(), kLateAnswers) !=
                  hello.features().end();
  state_ = State::kClaiming;
  claimed_ = claiming_ = true;
  home_->OnHello(shared_from_this());
}

void ManagerStream::Established() {
  const auto hold = shared_from_this();
  claiming_ = false;
  if (state_ == State::kDown) return Release();
  state_ = State::kUp;
  batch_.AddHello(home_->OurHello());
  home_->OnUp(hold);
  for (std::string& frame : std::exchange(kept_, {})) {
    if (state_ != State::kUp) return;
    HandleFrame(frame);
  }
}

void ManagerStream::GiveWay(runtime::Callback gone) {
  if (!claimed_) return gone();
  when_gone_.push_back(std::move(gone));
  Cut("replaced by a newer stream");
}

void ManagerStream::GoDown(std::string_view reason) {
  if (state_ == State::kDown) return;
  const auto hold = shared_from_this();
  const State before = std::exchange(state_, State::kDown);
  kept_.clear();
  if (before == State::kUp) {
    runtime::LogInfo("link_down", "link to a manager is down",
                     {{"manager", key_.manager},
                      {"incarnation", key_.incarnation},
                      {"loop", key_.loop},
                      {"reason", reason}});
    home_->OnDown(hold);
    PartResult lost;
    while (pending_.PopLost(&lost)) home_->OnAnswered(std::move(lost));
  }
  if (!claiming_) Release();
}

void ManagerStream::Release() {
  if (!std::exchange(claimed_, false)) return;
  home_->OnReleased(*this);
  for (runtime::Callback& gone : std::exchange(when_gone_, {})) gone();
}

void ManagerStream::Close(std::string_view reason) {
  AddAnswers();
  GoDown(reason);
  if (rpc_ == nullptr || std::exchange(closing_, true)) return;
  if (batch_.queued_bytes() == 0) rpc_->Close();
}

void ManagerStream::Cut(std::string_view reason) {
  GoDown(reason);
  batch_.Attach(nullptr);
  if (rpc_ == nullptr) return;
  // Perhaps we are inside a call of it.
  home_->loop().Defer([self = shared_from_this(), rpc = std::move(rpc_)]() mutable {
    rpc = nullptr;
    self->home_->OnOver(self);
  });
}

void ManagerStream::OnRpcClosed(std::string_view reason) {
  const auto hold = shared_from_this();
  GoDown(reason);
  batch_.Attach(nullptr);
  rpc_ = nullptr;
  home_->OnOver(hold);
}

void ManagerStream::ProtocolError(std::string_view what) {
  home_->counters().protocol_errors.Add();
  runtime::LogWarn("link_protocol_error", "a manager said what cannot be: its link is closed",
                   {{"manager", key_.manager}, {"peer", rpc_->peer()}, {"what", what}});
  Cut("protocol error");
}

void ManagerStream::Tick(uint64_t now_ms) {
  if (state_ == State::kHello && now_ms - started_ms_ >= kHelloDeadlineMs) return Cut("no hello");
  PartResult expired;
  while (pending_.PopExpired(now_ms, &expired)) home_->OnAnswered(std::move(expired));
}

// --- what comes

void ManagerStream::OnFrame(std::string_view frame) {
  const auto hold = shared_from_this();
  switch (state_) {
    case State::kDown:
      return;
    case State::kClaiming:
      kept_bytes_ += frame.size();
      if (kept_bytes_ > kMaxKeptBytes) return Cut("too much before our hello");
      kept_.emplace_back(frame);
      return;
    case State::kHello:
    case State::kUp:
      return HandleFrame(frame);
  }
}

void ManagerStream::HandleFrame(std::string_view frame) {
  using Kind = runtime::RpcFrameReader::Kind;
  home_->counters().link.frames_in.Add();
  runtime::RpcFrameReader reader(frame);
  if (state_ == State::kHello) {
    if (reader.Next() != Kind::kHello) return ProtocolError("no hello");
    const std::string_view hello = reader.bytes();
    if (reader.Next() != Kind::kEnd) return ProtocolError("hello is not alone");
    return HandleHello(hello);
  }
  while (state_ == State::kUp) {
    switch (reader.Next()) {
      case Kind::kEnd:
        return;
      case Kind::kHello:
        return ProtocolError("second hello");
      case Kind::kMalformed:
        return ProtocolError("malformed frame");
      case Kind::kItem:
        home_->counters().link.items_in.Add();
        if (!HandleItem(reader.field(), reader.bytes())) return ProtocolError("malformed item");
    }
  }
}

bool ManagerStream::HandleItem(int field, std::string_view bytes) {
  ManagerEvents& events = home_->events();
  const ManagerLinkPtr self = shared_from_this();
  Parsed& p = *parsed_;
  // `what` is parsed, and if it is good its event is told.
  const auto tell = [&](auto* what, auto event) {
    if (!Parse(bytes, what)) return false;
    (events.*event)(self, *what);
    return true;
  };
  switch (field) {
    case Up::kOpened:
      return tell(&p.opened, &ManagerEvents::OnOpened);
    case Up::kNegotiate:
      return tell(&p.negotiate, &ManagerEvents::OnNegotiate);
    case Up::kSubmit:
      return tell(&p.submit, &ManagerEvents::OnSubmit);
    case Up::kTaken:
      return HandleTaken(bytes);
    case Up::kPull:
      return tell(&p.pull, &ManagerEvents::OnPull);
    case Up::kAnnounce:
      return tell(&p.announce, &ManagerEvents::OnAnnounce);
    case Up::kClosed:
      return tell(&p.closed, &ManagerEvents::OnClosed);
    case Up::kClientAck:
      return tell(&p.client_ack, &ManagerEvents::OnClientAck);
    case Up::kMoved:
      return tell(&p.moved, &ManagerEvents::OnMoved);
    default:
      return true;  // an item of a later version
  }
}

bool ManagerStream::HandleTaken(std::string_view bytes) {
  if (!ReadTaken(bytes, &taken_) || !pending_.OnTaken(taken_)) return false;
  const uint64_t up_to = taken_.up_to;
  PartResult result;
  while (pending_.PopUpTo(up_to, &result)) home_->OnAnswered(std::move(result));
  return true;
}

// --- what goes

void ManagerStream::OnWritable() {
  batch_.OnWritable();
  if (closing_ && batch_.queued_bytes() == 0) rpc_->Close();
}

bool ManagerStream::full() const {
  return batch_.queued_bytes() >= kMaxQueuedBytes || batch_.queued_items() >= kMaxQueuedItems ||
         pending_.size() >= kMaxQueuedItems;
}

void ManagerStream::Deliver(const DeliveryRef& ref, const DeliverBody& body,
                            const std::vector<DeliverTarget>& targets) {
  home_->loop().AssertInLoop();
  uint64_t& refused_below = refused_below_[static_cast<size_t>(ref.issuer)];
  const bool is_full = full();
  if (state_ != State::kUp || is_full || ref.version < refused_below) {
    if (is_full) home_->counters().refused_full.Add();
    if (ref.version >= refused_below) refused_below = ref.version + 1;
    home_->OnAnswered({ref, DeliverOutcome::kNoLink, {}});
    return;
  }
  const uint64_t number = pending_.Add(ref, static_cast<uint32_t>(targets.size()),
                                       home_->loop().NowMs() + kDeliverDeadlineMs);
  WriteDeliverHead(number, body, targets, &scratch_);
  batch_.Add(Down::kDeliver, scratch_, body.bytes);
}

bool ManagerStream::Ready() {
  home_->loop().AssertInLoop();
  return state_ == State::kUp;
}

void ManagerStream::SendNegotiated(xylem::v1::Negotiated answer) {
  if (!Ready()) return;
  AddAllAccepted();
  batch_.Add(Down::kNegotiated, answer);
}

void ManagerStream::SendAccepted(uint64_t connection, cluster::Epoch epoch, uint64_t up_to) {
  if (!Ready()) return;
  if (!late_answers_) return AddAccepted({connection, up_to, epoch});
  const auto mine = std::find_if(accepted_.begin(), accepted_.end(),
                                 [&](const Accepted& one) { return one.connection == connection; });
  if (mine != accepted_.end()) {
    *mine = {connection, up_to, epoch};
  } else {
    accepted_.push_back({connection, up_to, epoch});
  }
  if (accepted_.size() < kMaxOwed) {
    batch_.FlushLater();
  } else {
    batch_.ScheduleFlush();
  }
}

void ManagerStream::AcceptNow() {
  if (!accepted_.empty()) batch_.ScheduleFlush();
}

void ManagerStream::AskTaken() {
  if (!late_answers_ || pending_.size() == 0 || asked_up_to_ >= pending_.last()) return;
  asked_up_to_ = pending_.last();
  ask_ = true;
  batch_.ScheduleFlush();
}

void ManagerStream::AddAccepted(const Accepted& one) {
  WriteAccepted(one.connection, one.epoch, one.up_to, &scratch_);
  batch_.Add(Down::kAccepted, scratch_);
}

// Also before anything else that is said of a session: what was put off keeps its place.
void ManagerStream::AddAllAccepted() {
  for (const Accepted& one : accepted_) AddAccepted(one);
  accepted_.clear();
}

// What was put off; a frame leaves anyway.
void ManagerStream::AddAnswers() {
  if (state_ != State::kUp) return;
  AddAllAccepted();
  if (!std::exchange(ask_, false) || asked_up_to_ < pending_.first()) return;
  xylem::v1::Control control;
  control.mutable_answer_now();
  batch_.Add(Down::kControl, control);
}

void ManagerStream::SendTicket(uint64_t connection, cluster::Epoch epoch, std::string ticket) {
  if (!Ready()) return;
  AddAllAccepted();
  xylem::v1::Ticket item;
  item.set_connection(connection);
  item.set_epoch(epoch);
  item.set_ticket(std::move(ticket));
  batch_.Add(Down::kTicket, item);
}

void ManagerStream::SendEnded(uint64_t connection, cluster::Epoch epoch) {
  if (!Ready()) return;
  AddAllAccepted();
  xylem::v1::Ended item;
  item.set_connection(connection);
  item.set_epoch(epoch);
  batch_.Add(Down::kEnded, item);
}

void ManagerStream::SendClose(uint64_t connection, cluster::Epoch epoch, xmpp::StreamError error) {
  xylem::v1::Control control;
  xylem::v1::Control::Close& close = *control.mutable_close();
  close.set_connection(connection);
  close.set_epoch(epoch);
  close.mutable_error()->set_condition(std::string(xmpp::ConditionName(error.condition)));
  close.mutable_error()->set_text(std::move(error.text));
  close.mutable_error()->set_app_condition(std::move(error.app_condition));
  SendControl(control);
}

void ManagerStream::SendFenced(uint64_t connection, cluster::Epoch epoch) {
  xylem::v1::Control control;
  control.mutable_fenced()->set_connection(connection);
  control.mutable_fenced()->set_epoch(epoch);
  SendControl(control);
}

void ManagerStream::SendGap(uint64_t connection, cluster::Epoch epoch, uint64_t expected) {
  xylem::v1::Control control;
  control.mutable_gap()->set_connection(connection);
  control.mutable_gap()->set_epoch(epoch);
  control.mutable_gap()->set_expected(expected);
  SendControl(control);
}

void ManagerStream::SendControl(const xylem::v1::Control& control) {
  if (!Ready()) return;
  AddAllAccepted();
  batch_.Add(Down::kControl, control);
}

}  // namespace business
