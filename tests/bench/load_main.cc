// The load generator: one process drives many clients from one event loop. Prints one JSON object a
// line: {"event":"ready"} when all are logged in, then waits for a line on standard input, runs, and
// prints {"event":"result",…}. bench.py drives it and reads the servers' CPU and memory.
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "tests/bench/latency_histogram.h"
#include "tests/bench/load_client.h"

namespace bench {
namespace {

uint64_t NowUs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

struct Options {
  std::vector<Target> targets;  // client i connects to the i-th, round and round
  std::string mode = "chat", user_prefix = "load", password = "secret", tls = "none";
  int first = 0, clients = 400, window = 4, body = 100, logging_in = 32, sources = 1;
  double rate = 0;  // messages a second over all pairs; 0 = saturated, by window
  double seconds = 10, warmup = 2;
};

// Even clients send to the next odd one.
class Load : public runtime::FdHandler {
 public:
  Load(runtime::EventLoop* loop, Options options) : loop_(loop), options_(std::move(options)) {
    events_.on_ready = [this](LoadClient& c) { OnReady(c); };
    events_.on_stanza = [this](LoadClient& c, std::string_view s) { OnStanza(c, s); };
    events_.on_closed = [this](LoadClient& c, std::string reason) { OnClosed(c, std::move(reason)); };
    for (int i = 0; i < options_.clients; ++i) {
      int n = options_.first + i;
      std::string source = options_.sources > 1 ? "127.0.0." + std::to_string(2 + n % options_.sources) : "";
      clients_.push_back(std::make_unique<LoadClient>(
          loop_, options_.targets[static_cast<size_t>(i) % options_.targets.size()], i,
                                                      options_.user_prefix + std::to_string(n),
                                                      options_.password, source, &events_));
    }
    sent_.resize(clients_.size());
    seen_.resize(clients_.size());
    started_us_.resize(clients_.size());
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop_->AddFd(timer_, EPOLLIN, this);
    loop_->AddFd(0, EPOLLIN, &input_);
  }

  void Start() {
    begin_us_ = NowUs();
    for (int i = 0; i < options_.logging_in; ++i) StartNext();
  }

 private:
  void StartNext() {
    if (next_ >= clients_.size()) return;
    started_us_[next_] = NowUs();
    clients_[next_++]->Start();
  }

  void OnReady(LoadClient& c) {
    login_.Add(NowUs() - started_us_[static_cast<size_t>(c.index())]);
    ++ready_;
    StartNext();
    if (ready_ + failed_ == clients_.size()) AllReady();
  }

  void AllReady() {
    std::printf("{\"event\":\"ready\",\"clients\":%zu,\"failed\":%zu,\"seconds\":%.3f,\"login_p50_us\":%llu,"
                "\"login_p99_us\":%llu}\n",
                ready_, failed_, static_cast<double>(NowUs() - begin_us_) / 1e6,
                static_cast<unsigned long long>(login_.Quantile(0.5)),
                static_cast<unsigned long long>(login_.Quantile(0.99)));
    std::fflush(stdout);
  }

  void OnClosed(LoadClient& c, std::string reason) {
    ++failed_;
    if (failed_ <= 5) std::fprintf(stderr, "client %d: %s\n", c.index(), reason.c_str());
    if (!running_) {
      StartNext();
      if (ready_ + failed_ == clients_.size()) AllReady();
    }
  }

  // A command came on standard input: run, or end.
  void OnInput() {
    char buffer[64];
    ssize_t n = read(0, buffer, sizeof buffer);
    if (n <= 0 || buffer[0] == 'q') {
      for (auto& c : clients_) c->Close();
      return loop_->Stop();
    }
    running_ = true;
    run_begin_us_ = NowUs();
    measure_from_us_ = run_begin_us_ + static_cast<uint64_t>(options_.warmup * 1e6);
    measure_to_us_ = measure_from_us_ + static_cast<uint64_t>(options_.seconds * 1e6);
    sending_ = options_.mode == "chat";
    if (sending_ && options_.rate <= 0) {
      for (size_t i = 0; i + 1 < clients_.size(); i += 2) {
        for (int w = 0; w < options_.window; ++w) SendOne(i);
      }
    }
    long period_ns = options_.rate > 0 ? static_cast<long>(1e9 / options_.rate) : 50'000'000;
    itimerspec spec{};
    spec.it_interval.tv_nsec = spec.it_value.tv_nsec = std::min(std::max(period_ns, 20'000L), 999'999'999L);
    timerfd_settime(timer_, 0, &spec, nullptr);
  }

  void OnFdEvents(uint32_t) override {  // the timer
    uint64_t ticks = 0;
    if (read(timer_, &ticks, sizeof ticks) != sizeof ticks) return;
    uint64_t now = NowUs();
    if (sending_ && now >= measure_to_us_) {
      sending_ = false;
      stopped_us_ = now;
    }
    if (sending_ && options_.rate > 0) {
      // Open loop: what is due is sent, however slow the server is.
      auto due = static_cast<uint64_t>(static_cast<double>(now - run_begin_us_) * options_.rate / 1e6);
      size_t pairs = clients_.size() / 2;
      for (; issued_ < due; ++issued_) SendOne(issued_ % pairs * 2);
    }
    bool all_in = received_total_ == sent_total_ && !sending_;
    bool idle = options_.mode != "chat" && now >= measure_to_us_;
    if (idle || (!sending_ && options_.mode == "chat" && (all_in || now > stopped_us_ + 5'000'000))) Report(now);
  }

  void SendOne(size_t from) {
    LoadClient& sender = *clients_[from];
    LoadClient& receiver = *clients_[from + 1];
    if (!sender.ready() || !receiver.ready()) return;
    char head[64];
    int n = std::snprintf(head, sizeof head, "%llu %llu ", static_cast<unsigned long long>(++sent_[from]),
                          static_cast<unsigned long long>(NowUs()));
    std::string body(head, static_cast<size_t>(n));
    if (body.size() < static_cast<size_t>(options_.body)) body.resize(static_cast<size_t>(options_.body), 'x');
    std::string stanza = "<message type='chat' id='m" + std::to_string(sent_[from]) + "' to='" + receiver.jid() +
                         "'><body>" + body + "</body></message>";
    sender.SendStanza(stanza);
    ++sent_total_;
  }

  void OnStanza(LoadClient& c, std::string_view stanza) {
    if (!stanza.starts_with("<message")) return;
    size_t body = stanza.find("<body>");
    if (body == std::string_view::npos || stanza.find("type='error'") < body) {
      ++errors_;
      return;
    }
    char* end = nullptr;
    uint64_t number = std::strtoull(stanza.data() + body + 6, &end, 10);
    uint64_t at = std::strtoull(end, nullptr, 10);
    uint64_t now = NowUs();
    auto me = static_cast<size_t>(c.index());
    if (number != seen_[me] + 1) ++(number <= seen_[me] ? doubled_ : misordered_);
    seen_[me] = std::max(seen_[me], number);
    ++received_total_;
    if (at >= measure_from_us_ && at < measure_to_us_) {
      latency_.Add(now - at);
    }
    if (now >= measure_from_us_ && now < measure_to_us_) ++received_measured_;
    if (sending_ && options_.rate <= 0) SendOne(me - 1);
  }

  void Report(uint64_t now) {
    (void)now;
    std::printf(
        "{\"event\":\"result\",\"sent\":%llu,\"received\":%llu,\"measured\":%llu,\"seconds\":%.3f,"
        "\"lost\":%lld,\"doubled\":%llu,\"misordered\":%llu,\"errors\":%llu,\"disconnected\":%zu,"
        "\"p50_us\":%llu,\"p99_us\":%llu,\"p999_us\":%llu}\n",
        static_cast<unsigned long long>(sent_total_), static_cast<unsigned long long>(received_total_),
        static_cast<unsigned long long>(received_measured_), options_.seconds,
        static_cast<long long>(sent_total_) - static_cast<long long>(received_total_),
        static_cast<unsigned long long>(doubled_), static_cast<unsigned long long>(misordered_),
        static_cast<unsigned long long>(errors_), failed_,
        static_cast<unsigned long long>(latency_.Quantile(0.5)),
        static_cast<unsigned long long>(latency_.Quantile(0.99)),
        static_cast<unsigned long long>(latency_.Quantile(0.999)));
    std::fflush(stdout);
    itimerspec off{};
    timerfd_settime(timer_, 0, &off, nullptr);
  }

  struct Input : runtime::FdHandler {
    explicit Input(Load* l) : load(l) {}
    void OnFdEvents(uint32_t) override { load->OnInput(); }
    Load* load;
  } input_{this};

  runtime::EventLoop* loop_;
  Options options_;
  LoadClient::Events events_;
  std::vector<std::unique_ptr<LoadClient>> clients_;
  std::vector<uint64_t> sent_, seen_, started_us_;
  size_t next_ = 0, ready_ = 0, failed_ = 0;
  uint64_t begin_us_ = 0, run_begin_us_ = 0, measure_from_us_ = 0, measure_to_us_ = 0, stopped_us_ = 0;
  uint64_t issued_ = 0, sent_total_ = 0, received_total_ = 0, received_measured_ = 0;
  uint64_t doubled_ = 0, misordered_ = 0, errors_ = 0;
  bool running_ = false, sending_ = false;
  int timer_ = -1;
  LatencyHistogram latency_, login_;
};

int Main(int argc, char** argv) {
  Options o;
  Target common;
  std::vector<std::string> addresses{"127.0.0.1:5222"};
  CLI::App app("Load generator for XMPP servers");
  app.add_option("--mode", o.mode, "chat, login or idle");
  app.add_option("--address", addresses, "host:port; several: clients take turns");
  app.add_option("--domain", common.domain);
  app.add_option("--tls", o.tls, "none, starttls or direct");
  app.add_option("--mechanism", common.mechanism, "SCRAM-SHA-1, SCRAM-SHA-256, PLAIN");
  app.add_flag("--stream-management", common.stream_management);
  app.add_option("--user-prefix", o.user_prefix);
  app.add_option("--password", o.password);
  app.add_option("--first", o.first, "number of the first user");
  app.add_option("--clients", o.clients);
  app.add_option("--window", o.window, "messages under way a pair");
  app.add_option("--rate", o.rate, "messages a second, open loop; 0 = saturate by window");
  app.add_option("--body", o.body, "bytes");
  app.add_option("--seconds", o.seconds);
  app.add_option("--warmup", o.warmup);
  app.add_option("--logging-in", o.logging_in, "logins under way at a time");
  app.add_option("--sources", o.sources, "source addresses 127.0.0.2 …");
  CLI11_PARSE(app, argc, argv);
  common.tls = o.tls == "starttls" ? Target::Tls::kStartTls
               : o.tls == "direct" ? Target::Tls::kDirect
                                   : Target::Tls::kNone;
  for (const std::string& address : addresses) {
    size_t colon = address.rfind(':');
    Target target = common;
    target.host = address.substr(0, colon);
    target.port = static_cast<uint16_t>(std::stoi(address.substr(colon + 1)));
    o.targets.push_back(target);
  }
  std::signal(SIGPIPE, SIG_IGN);
  runtime::EventLoop loop;
  Load load(&loop, std::move(o));
  loop.Post([&] { load.Start(); });
  loop.Run();
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::Main(argc, argv); }
