#include "connmgr/connmgr_loop.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"

namespace connmgr {
namespace {

// A read takes at most this much: what a connection may read in a turn.
constexpr size_t kReadBufferBytes = 64 * 1024;
constexpr std::chrono::milliseconds kEndingTick{20};
constexpr std::chrono::milliseconds kLinkStatsTick{250};

}  // namespace

struct ConnmgrLoop::EndingTick : runtime::Timer {
  explicit EndingTick(ConnmgrLoop& o) : runtime::Timer(&Fire), owner(o) {}
  static void Fire(runtime::Timer* timer) { static_cast<EndingTick*>(timer)->owner.Tick(); }
  ConnmgrLoop& owner;
};

struct ConnmgrLoop::GoneTick : runtime::Timer {
  explicit GoneTick(ConnmgrLoop& o) : runtime::Timer(&Fire), owner(o) {}
  static void Fire(runtime::Timer* timer) {
    static_cast<GoneTick*>(timer)->owner.EndStreamsOfGoneDomains();
  }
  ConnmgrLoop& owner;
};

struct ConnmgrLoop::GraveyardRun : runtime::TurnEnd {
  explicit GraveyardRun(ConnmgrLoop& o) : runtime::TurnEnd(&Run), owner(o) {}
  static void Run(runtime::TurnEnd* end) { static_cast<GraveyardRun*>(end)->owner.EmptyGraveyard(); }
  ConnmgrLoop& owner;
};

struct ConnmgrLoop::LinkStatsTick : runtime::Timer {
  explicit LinkStatsTick(ConnmgrLoop& o) : runtime::Timer(&Fire), owner(o) {}
  static void Fire(runtime::Timer* timer) {
    ConnmgrLoop& owner = static_cast<LinkStatsTick*>(timer)->owner;
    owner.PublishLinkStats();
    owner.loop_.Arm(timer, kLinkStatsTick);
  }
  ConnmgrLoop& owner;
};

ConnmgrLoop::ConnmgrLoop(runtime::EventLoop& loop, const Settings& settings, Admission& admission,
                         Certificates& certificates, std::unique_ptr<BusinessLinks> links)
    : loop_(loop),
      settings_(settings),
      domains_(settings.domains),
      admission_(admission),
      certificates_(certificates),
      links_(std::move(links)),
      read_buffer_(kReadBufferBytes),
      handshake_seconds_(runtime::Metrics::Get().GetHistogram(
          "xylem_connmgr_tls_handshake_seconds", "From the first byte of TLS to its last.",
          runtime::LatencyBounds(), {{"loop", std::to_string(loop.index())}})),
      ending_tick_(std::make_unique<EndingTick>(*this)),
      gone_tick_(std::make_unique<GoneTick>(*this)),
      graveyard_run_(std::make_unique<GraveyardRun>(*this)),
      link_stats_tick_(std::make_unique<LinkStatsTick>(*this)) {}

ConnmgrLoop::~ConnmgrLoop() {
  loop_.AssertInLoop();
  CloseListeners();
  // The links must know no stream that is not there any more.
  for (const auto& stream : streams_) stream->LeaveLinks();
  EmptyGraveyard();
  streams_.clear();
}

void ConnmgrLoop::Start() {
  loop_.AssertInLoop();
  links_->OnDomains([this](const std::vector<std::string>& told) { SetDomains(told); });
  links_->Start();
  loop_.Arm(link_stats_tick_.get(), kLinkStatsTick);
}

bool ConnmgrLoop::OpenListeners(std::vector<ListenerSettings>& listeners) {
  loop_.AssertInLoop();
  // Kept when closed: streams that are being set up refer to the settings of theirs.
  while (listeners_.size() < listeners.size()) {
    listeners_.push_back(std::make_unique<Listener>(*this));
  }
  for (size_t i = 0; i < listeners.size(); ++i) {
    if (!listeners_[i]->Open(listeners[i])) {
      runtime::LogError("listen_failed", "The address cannot be had.",
                        {{"address", listeners[i].address.ToString()},
                         {"err", std::strerror(errno)}});
      CloseListeners();
      return false;
    }
    listeners[i].address.set_port(listeners_[i]->settings().address.port());
  }
  return true;
}

void ConnmgrLoop::CloseListeners() {
  loop_.AssertInLoop();
  for (auto& listener : listeners_) listener->Close();
}

void ConnmgrLoop::Adopt(int fd, const ListenerSettings& listener, const SocketAddress& peer) {
  const auto& from = listener.proxy_from;
  if (listener.proxy && std::none_of(from.begin(), from.end(), [&](const Network& network) {
        return network.Contains(peer);
      })) {
    // tests/attacks, row 45: whoever is no load balancer cannot say whom it speaks for.
    counters_.refused[static_cast<size_t>(Refusal::kProxy)].Add();
    admission_.Leave();
    close(fd);
    return;
  }
  streams_.push_back(std::make_unique<C2sStream>(*this, fd, listener, peer));
  streams_.back()->slot = static_cast<uint32_t>(streams_.size() - 1);
  streams_.back()->Start();
}

void ConnmgrLoop::Bury(C2sStream* stream) {
  size_t hole = stream->slot;
  graveyard_.push_back(std::move(streams_[hole]));
  auto fill_from = [&](size_t from) {
    if (from == hole) return;
    streams_[hole] = std::move(streams_[from]);
    streams_[hole]->slot = static_cast<uint32_t>(hole);
    hole = from;
  };
  // Those below the cursor are still to be told to end: none of them may get above it.
  if (hole < cursor_) fill_from(--cursor_);
  fill_from(streams_.size() - 1);
  streams_.pop_back();
  loop_.ScheduleTurnEnd(graveyard_run_.get());
}

void ConnmgrLoop::EmptyGraveyard() {
  if (graveyard_.empty()) return;
  if (!draining_.empty()) {
    std::erase_if(draining_, [](const Draining& d) {
      return d.stream->state() == C2sStream::State::kClosed;
    });
  }
  const auto dead = std::move(graveyard_);
  graveyard_.clear();
  for (const auto& stream : dead) stream->LeaveLinks();
}

void ConnmgrLoop::ObserveHandshake(uint64_t ms) {
  handshake_seconds_.Observe(static_cast<double>(ms) / 1000);
}

void ConnmgrLoop::EndStreams(uint32_t pace, std::chrono::milliseconds patience) {
  loop_.AssertInLoop();
  pace_ = std::max(1u, pace);
  pace_begin_ms_ = loop_.NowMs();
  told_ = 0;
  cursor_ = streams_.size();
  patience_ms_ = static_cast<uint64_t>(patience.count());
  Tick();
}

void ConnmgrLoop::StopEndingStreams() {
  loop_.AssertInLoop();
  // Those that were told already read nothing more: they end.
  pace_ = 0;
  cursor_ = 0;
}

void ConnmgrLoop::Tick() {
  const uint64_t now = loop_.NowMs();
  const uint64_t due = 1 + (now - pace_begin_ms_) * pace_ / 1000;
  while (told_ < due && cursor_ > 0) {
    // Told before again: at and above the cursor stand those that came later, too.
    C2sStream* stream = streams_[--cursor_].get();
    if (stream->state() >= C2sStream::State::kSessionDraining) continue;
    ++told_;
    stream->BeginDrain();
    if (!stream->ContinueDrain(/*overdue=*/false)) draining_.push_back({stream, now});
  }
  if (cursor_ == 0) pace_ = 0;
  std::erase_if(draining_, [&](const Draining& d) {
    return d.stream->ContinueDrain(now - d.since_ms >= patience_ms_);
  });
  if (ending()) loop_.Arm(ending_tick_.get(), kEndingTick);
}

void ConnmgrLoop::SetDomains(const std::vector<std::string>& told) {
  domains_.SetTold(told);
  // In a turn of its own: this may be a call of the links.
  loop_.Arm(gone_tick_.get(), kEndingTick);
}

// As gently as a drain: what a session of one domain leaves behind, many others hear of.
void ConnmgrLoop::EndStreamsOfGoneDomains() {
  uint32_t left = std::max<uint32_t>(1, settings_.drain_pace * kEndingTick.count() / 1000);
  for (size_t i = streams_.size(); i-- > 0;) {
    C2sStream& stream = *streams_[i];
    if (stream.state() >= C2sStream::State::kClosing) continue;
    const std::string_view domain = stream.domain();
    if (domain.empty() || domains_.Serves(domain)) continue;
    if (left-- == 0) return loop_.Arm(gone_tick_.get(), kEndingTick);
    stream.Close({xmpp::StreamCondition::kHostGone, "not served here any more", {}},
                 CloseReason::kOrder);
  }
}

void ConnmgrLoop::PublishLinkStats() {
  counters_.live_links.Set(static_cast<uint64_t>(std::max(0, links_->live())));
  counters_.up_links.Set(static_cast<uint64_t>(std::max(0, links_->up())));
  counters_.sessions.Set(links_->sessions());
  counters_.closing_sessions.Set(links_->closing());
  counters_.unaccepted.Set(links_->UnacceptedTotal());
  const BusinessLinks::Stats stats = links_->stats();
  counters_.link_frames_out.Set(stats.frames_out);
  counters_.link_items_out.Set(stats.items_out);
  counters_.link_bytes_out.Set(stats.bytes_out);
  counters_.link_frames_in.Set(stats.frames_in);
  counters_.link_items_in.Set(stats.items_in);
  counters_.link_resubmitted.Set(stats.resubmitted);
  counters_.link_rehomed.Set(stats.rehomed);
  counters_.link_duplicates.Set(stats.duplicates_dropped);
  counters_.link_not_here.Set(stats.not_here);
  counters_.links_lost.Set(stats.links_lost);
}

}  // namespace connmgr
