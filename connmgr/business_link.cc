#include "connmgr/business_link.h"

#include <algorithm>
#include <random>
#include <utility>

#include "lib/runtime/log.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {
namespace {

using runtime::WireWriter;
using xylem::v1::Taken;
using xylem::v1::Up;

constexpr char kAttach[] = "/xylem.v1.ConnmgrBusiness/Attach";
constexpr char kLateAnswers[] = "late-answers";
constexpr uint32_t kProtocolMin = 1, kProtocolMax = 1;
constexpr auto kHelloTime = std::chrono::milliseconds(10000);
constexpr int64_t kFirstBackoffMs = 50, kMaxBackoffMs = 2000;
// A link that was up this long starts again with the shortest back-off.
constexpr uint64_t kSettledMs = 2000;
constexpr auto kSpareTime = std::chrono::milliseconds(300000);

std::minstd_rand& Random() {
  thread_local std::minstd_rand random(std::random_device{}());
  return random;
}

// Doubles, and is spread over its upper half: managers that lost a server together come back apart.
std::chrono::milliseconds Backoff(uint32_t failures) {
  const int64_t whole = std::min(kMaxBackoffMs, kFirstBackoffMs << std::min<uint32_t>(failures, 6));
  return std::chrono::milliseconds(
      std::uniform_int_distribution<int64_t>(whole / 2, whole)(Random()));
}

Taken::Refused::Reason ReasonOf(TakenOutcome outcome) {
  switch (outcome) {
    case TakenOutcome::kOverflowed:
      return Taken::Refused::OVERFLOWED;
    case TakenOutcome::kBehind:
      return Taken::Refused::BEHIND;
    default:
      return Taken::Refused::NOT_HERE;
  }
}

}  // namespace

BusinessLink::BusinessLink(const Parts& parts, std::string address, std::string server_name)
    : Timer([](Timer* timer) { static_cast<BusinessLink*>(timer)->OnTimer(); }),
      parts_(parts),
      address_(std::move(address)),
      server_name_(std::move(server_name)),
      batch_(parts.loop, parts.counters) {
  batch_.set_before_flush([this] { AddTaken(); });
}

BusinessLink::~BusinessLink() { batch_.Attach(nullptr); }

void BusinessLink::Dial() {
  state_ = State::kConnecting;
  hopeless_ = false;
  handled_ = taken_ = 0;
  refused_.clear();
  stream_ = parts_.client->Open(address_, kAttach, server_name_);
  batch_.Attach(stream_.get());
  xylem::v1::Hello hello = parts_.events->OwnHello();
  hello.set_protocol_min(kProtocolMin);
  hello.set_protocol_max(kProtocolMax);
  hello.add_features(kLateAnswers);
  batch_.AddHello(hello);
  parts_.loop->Arm(this, kHelloTime);
  stream_->Start({.on_frame = [this](std::string_view frame) { OnFrame(frame); },
                  .on_writable = [this] { OnWritable(); },
                  .on_closed = [this](std::string reason) { Lose(reason); }});
}

void BusinessLink::DialSoon() {
  spare = false;
  if (state_ == State::kWaiting) parts_.loop->Arm(this, Backoff(0));
}

void BusinessLink::OnTimer() {
  spare = false;
  if (state_ == State::kWaiting) return Dial();
  if (state_ == State::kConnecting) Lose("no hello");
}

void BusinessLink::OnWritable() {
  if (state_ == State::kLost) return;
  batch_.OnWritable();
  if (has_room()) parts_.events->OnLinkRoom(this);
}

void BusinessLink::OnFrame(std::string_view frame) {
  parts_.counters->frames_in.Add();
  runtime::RpcFrameReader reader(frame);
  while (state_ == State::kConnecting || state_ == State::kUp) {
    switch (reader.Next()) {
      case runtime::RpcFrameReader::Kind::kEnd:
        return;
      case runtime::RpcFrameReader::Kind::kMalformed:
        return Lose("malformed frame");
      case runtime::RpcFrameReader::Kind::kHello:
        if (!OnHello(reader.bytes())) return;
        break;
      case runtime::RpcFrameReader::Kind::kItem:
        if (state_ != State::kUp) return Lose("an item before hello");
        parts_.counters->items_in.Add();
        if (!parts_.events->OnItem(this, reader.field(), reader.bytes())) {
          return Lose("malformed item");
        }
        break;
    }
  }
}

bool BusinessLink::OnHello(std::string_view bytes) {
  xylem::v1::Hello hello;
  if (state_ != State::kConnecting ||
      !hello.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    Lose("bad hello");
    return false;
  }
  if (std::min(hello.protocol_max(), kProtocolMax) < std::max(hello.protocol_min(), kProtocolMin)) {
    hopeless_ = true;
    runtime::LogError("link_version", "A business server speaks other protocol versions.",
                      {{"address", address_},
                       {"instance", hello.instance()},
                       {"min", hello.protocol_min()},
                       {"max", hello.protocol_max()}});
    Lose("no common protocol version");
    return false;
  }
  Cancel();
  instance_ = hello.instance();
  incarnation_ = hello.incarnation();
  draining = hello.draining();
  domains.assign(hello.domains().begin(), hello.domains().end());
  const auto& features = hello.features();
  late_answers_ = std::find(features.begin(), features.end(), kLateAnswers) != features.end();
  state_ = State::kUp;
  was_up_ = true;
  up_since_ms_ = parts_.loop->NowMs();
  parts_.events->OnLinkUp(this, hello);
  return true;
}

void BusinessLink::Lose(std::string_view why) {
  if (state_ == State::kLost || state_ == State::kWaiting) return;
  if (was_up_) {
    runtime::LogWarn("link_lost", "The link to a business server is lost.",
                     {{"address", address_}, {"instance", instance_}, {"reason", why}});
  } else if (failures_ == 0) {
    runtime::LogInfo("link_refused", "A business server cannot be reached; trying on.",
                     {{"address", address_}, {"reason", why}});
  }
  state_ = State::kLost;
  batch_.Attach(nullptr);
  // The stream may be in the middle of a callback of its own, or a client in a call into us.
  parts_.loop->ScheduleTurnEnd(&loss_end_);
}

void BusinessLink::FinishLoss() {
  Cancel();
  stream_.reset();
  const bool settled = was_up_ && parts_.loop->NowMs() - up_since_ms_ >= kSettledMs;
  failures_ = settled ? 0 : failures_ + 1;
  auto wait = hopeless_ ? Backoff(UINT32_MAX) : Backoff(failures_ == 0 ? 0 : failures_ - 1);
  if (spare) wait = kSpareTime;
  state_ = State::kWaiting;
  draining = false;
  to_announce.clear();
  parts_.loop->Arm(this, wait);
  parts_.events->OnLinkDown(this, std::exchange(was_up_, false));  // may destroy this
}

void BusinessLink::WatchQueue() {
  if (batch_.queued_bytes() > kMaxQueuedBytes) Lose("too much queued");
}

void BusinessLink::SendOpened(std::string_view opened) {
  if (!up()) return;
  batch_.Add(Up::kOpenedFieldNumber, opened);
  WatchQueue();
}

void BusinessLink::SendNegotiate(std::string_view negotiate) {
  if (!up()) return;
  batch_.Add(Up::kNegotiateFieldNumber, negotiate);
  WatchQueue();
}

void BusinessLink::SendSubmit(const LinkSession& session, uint64_t in_seq,
                              SubmissionWindow::Kept& kept, bool accept_soon) {
  using xylem::v1::Submit;
  if (!up()) return;
  scratch_.clear();
  WireWriter writer(&scratch_);
  writer.Fixed64(Submit::kConnectionFieldNumber, session.connection);
  writer.Fixed64(Submit::kEpochFieldNumber, session.epoch);
  writer.Uint(Submit::kInSeqFieldNumber, in_seq);
  writer.Uint(Submit::kTurnFieldNumber, session.turn);
  writer.Uint(Submit::kAttemptFieldNumber, kept.attempts++);
  writer.Uint(Submit::kAcceptSoonFieldNumber, accept_soon ? 1 : 0);
  writer.Length(Submit::kEnvelopeFieldNumber, kept.envelope.size());
  batch_.Add(Up::kSubmitFieldNumber, scratch_, kept.envelope);
  WatchQueue();
}

void BusinessLink::SendAnnounce(const LinkSession& session, uint64_t redis_generation) {
  using xylem::v1::Announce;
  if (!up()) return;
  scratch_.clear();
  WireWriter writer(&scratch_);
  writer.Fixed64(Announce::kConnectionFieldNumber, session.connection);
  writer.Fixed64(Announce::kEpochFieldNumber, session.epoch);
  writer.Uint(Announce::kTurnFieldNumber, session.turn);
  writer.Bytes(Announce::kTicketFieldNumber, session.ticket);
  writer.Uint(Announce::kAcceptedFieldNumber, session.window.accepted());
  if (session.sm != nullptr) {
    writer.Uint(Announce::kWrittenOutSeqFieldNumber, session.sm->written());
    writer.Uint(Announce::kClientAckedFieldNumber, session.sm->confirmed());
  }
  writer.Uint(Announce::kRedisGenerationFieldNumber, redis_generation);
  batch_.Add(Up::kAnnounceFieldNumber, scratch_);
  WatchQueue();
}

void BusinessLink::SendPull(const LinkSession& session, uint32_t stanzas, uint32_t bytes) {
  using xylem::v1::Pull;
  if (!up()) return;
  scratch_.clear();
  WireWriter writer(&scratch_);
  writer.Fixed64(Pull::kConnectionFieldNumber, session.connection);
  writer.Fixed64(Pull::kEpochFieldNumber, session.epoch);
  writer.Uint(Pull::kFromOutSeqFieldNumber, session.sm->next());
  writer.Uint(Pull::kRoomStanzasFieldNumber, stanzas);
  writer.Uint(Pull::kRoomBytesFieldNumber, bytes);
  batch_.Add(Up::kPullFieldNumber, scratch_);
  WatchQueue();
}

void BusinessLink::SendClientAck(const LinkSession& session) {
  using xylem::v1::ClientAck;
  if (!up()) return;
  scratch_.clear();
  WireWriter writer(&scratch_);
  writer.Fixed64(ClientAck::kConnectionFieldNumber, session.connection);
  writer.Fixed64(ClientAck::kEpochFieldNumber, session.epoch);
  writer.Uint(ClientAck::kUpToOutSeqFieldNumber, session.sm->confirmed());
  batch_.Add(Up::kClientAckFieldNumber, scratch_);
  WatchQueue();
}

void BusinessLink::SendClosed(const LinkSession& session) {
  using xylem::v1::Closed;
  if (!up()) return;
  scratch_.clear();
  WireWriter writer(&scratch_);
  writer.Fixed64(Closed::kConnectionFieldNumber, session.connection);
  writer.Fixed64(Closed::kEpochFieldNumber, session.epoch);
  writer.Bytes(Closed::kTicketFieldNumber, session.ticket);
  writer.Bytes(Closed::kReasonFieldNumber, session.closing->reason);
  writer.Uint(Closed::kResumableFieldNumber, session.closing->resumable ? 1 : 0);
  writer.Uint(Closed::kLastInSeqFieldNumber, session.window.next_in_seq() - 1);
  writer.Uint(Closed::kTurnFieldNumber, session.turn);
  writer.Uint(Closed::kAcceptedFieldNumber, session.window.accepted());
  if (session.sm != nullptr) writer.Uint(Closed::kClientAckedFieldNumber, session.sm->confirmed());
  batch_.Add(Up::kClosedFieldNumber, scratch_);
  WatchQueue();
}

void BusinessLink::SendClosedUnbound(uint64_t connection, std::string_view reason) {
  using xylem::v1::Closed;
  if (!up()) return;
  scratch_.clear();
  WireWriter writer(&scratch_);
  writer.Fixed64(Closed::kConnectionFieldNumber, connection);
  writer.Bytes(Closed::kReasonFieldNumber, reason);
  batch_.Add(Up::kClosedFieldNumber, scratch_);
  WatchQueue();
}

void BusinessLink::SendMoved(uint64_t connection, uint64_t epoch) {
  using xylem::v1::Moved;
  if (!up()) return;
  scratch_.clear();
  WireWriter writer(&scratch_);
  writer.Fixed64(Moved::kConnectionFieldNumber, connection);
  writer.Fixed64(Moved::kEpochFieldNumber, epoch);
  batch_.Add(Up::kMovedFieldNumber, scratch_);
  WatchQueue();
}

bool BusinessLink::Take(uint64_t number) {
  if (number != handled_ + 1) return false;
  handled_ = number;
  if (late_answers_ && handled_ - taken_ < kMaxOwed) {
    batch_.FlushLater();
  } else {
    batch_.ScheduleFlush();
  }
  return true;
}

void BusinessLink::AnswerNow() {
  if (handled_ != taken_) batch_.ScheduleFlush();
}

void BusinessLink::Refuse(uint64_t number, uint32_t target, TakenOutcome outcome) {
  using Refused = Taken::Refused;
  scratch_.clear();
  WireWriter item(&scratch_);
  item.Uint(Refused::kNumberFieldNumber, number);
  item.Uint(Refused::kTargetFieldNumber, target);
  item.Uint(Refused::kReasonFieldNumber, ReasonOf(outcome));
  WireWriter(&refused_).BytesAlways(Taken::kRefusedFieldNumber, scratch_);
  batch_.ScheduleFlush();  // it is sent another way, or its sender is told
}

// Once for all that was handled since the last frame could leave.
void BusinessLink::AddTaken() {
  if (handled_ == taken_) return;
  taken_ = handled_;
  scratch_.clear();
  WireWriter(&scratch_).Uint(Taken::kUpToFieldNumber, handled_);
  batch_.Add(Up::kTakenFieldNumber, scratch_, refused_);
  refused_.clear();
}

}  // namespace connmgr
