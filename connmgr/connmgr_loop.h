// What one event loop of a manager holds: its listeners, its streams, its links.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "connmgr/admission.h"
#include "connmgr/business_links.h"
#include "connmgr/c2s_stream.h"
#include "connmgr/certificates.h"
#include "connmgr/listener.h"
#include "connmgr/loop_counters.h"
#include "connmgr/served_domains.h"
#include "connmgr/settings.h"
#include "connmgr/write_queue.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/metrics.h"
#include "lib/xmpp/framer.h"

namespace connmgr {

// Lives on `loop`; made and destroyed there, as is everything it holds. Other threads read only
// `counters`. Nothing is shared between loops but admission and certificates.
class ConnmgrLoop {
 public:
  ConnmgrLoop(runtime::EventLoop& loop, const Settings& settings, Admission& admission,
              Certificates& certificates, std::unique_ptr<BusinessLinks> links);
  ~ConnmgrLoop();

  // Starts the links; clients come with OpenListeners.
  void Start();
  // false, with a log line, if an address cannot be had. A port 0 becomes the one given.
  bool OpenListeners(std::vector<ListenerSettings>& listeners);
  void CloseListeners();

  // A client's socket, non-blocking, counted by admission. Takes it over.
  void Adopt(int fd, const ListenerSettings& listener, const SocketAddress& peer);
  // The stream has ended: it is destroyed at the end of the turn.
  void Bury(C2sStream* stream);
  void ObserveHandshake(uint64_t ms);

  // Ends all streams, `pace` a second, each as C2sStream::BeginDrain says. A session waits for its
  // window up to `patience`. Called again: with the new values, also for those that came later.
  void EndStreams(uint32_t pace, std::chrono::milliseconds patience);
  // Tells no more of them. Those told already end.
  void StopEndingStreams();
  bool ending() const { return pace_ != 0 || !draining_.empty(); }

  runtime::EventLoop& loop() { return loop_; }
  const Settings& settings() const { return settings_; }
  const ServedDomains& domains() const { return domains_; }
  Admission& admission() { return admission_; }
  Certificates& certificates() { return certificates_; }
  BusinessLinks& links() { return *links_; }
  xmpp::FramerPool& framers() { return framers_; }
  ChunkPool& chunks() { return chunks_; }
  LoopCounters& counters() { return counters_; }
  std::vector<char>& read_buffer() { return read_buffer_; }
  size_t streams() const { return streams_.size(); }
  const C2sStream& stream(size_t slot) const { return *streams_[slot]; }

 private:
  struct EndingTick;
  struct GoneTick;
  struct GraveyardRun;
  struct LinkStatsTick;

  void Tick();
  void EmptyGraveyard();
  void PublishLinkStats();
  void SetDomains(const std::vector<std::string>& told);
  void EndStreamsOfGoneDomains();

  struct Draining {
    C2sStream* stream;
    uint64_t since_ms;
  };

  runtime::EventLoop& loop_;
  const Settings& settings_;
  ServedDomains domains_;
  Admission& admission_;
  Certificates& certificates_;
  LoopCounters counters_;
  std::unique_ptr<BusinessLinks> links_;
  xmpp::FramerPool framers_;
  ChunkPool chunks_;
  std::vector<char> read_buffer_;
  runtime::Histogram& handshake_seconds_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<C2sStream>> streams_;
  std::vector<std::unique_ptr<C2sStream>> graveyard_;

  // EndStreams
  uint32_t pace_ = 0;  // 0 = not ending
  uint64_t pace_begin_ms_ = 0;
  uint64_t told_ = 0;     // since pace_begin_ms_
  size_t cursor_ = 0;     // streams at and above it were told
  uint64_t patience_ms_ = 0;
  std::vector<Draining> draining_;

  std::unique_ptr<EndingTick> ending_tick_;
  std::unique_ptr<GoneTick> gone_tick_;
  std::unique_ptr<GraveyardRun> graveyard_run_;
  std::unique_ptr<LinkStatsTick> link_stats_tick_;
};

}  // namespace connmgr
