// Counters, gauges and histograms, over prometheus-cpp but without its headers. Names end in
// _total for counters, base units, never a JID as label.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace runtime {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Relaxed atomics: cheap enough for the stanza path. References stay valid for the registry's life.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void Add(int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);  // ascending upper bounds
  void Observe(double value);
  struct Snapshot {
    std::vector<uint64_t> buckets;  // not cumulative; one more than bounds
    double sum;
    uint64_t count;
  };
  Snapshot Read() const;
  const std::vector<double>& bounds() const { return bounds_; }

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> buckets_;
  std::atomic<uint64_t> sum_micro_{0};
};

// The process's registry. Registering is thread-safe and idempotent (same name and labels give the
// same object); a metric's help and type are fixed by its first registration.
class Metrics {
 public:
  static Metrics& Get();

  Counter& GetCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& GetGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram& GetHistogram(const std::string& name, const std::string& help,
                          std::vector<double> bounds, const Labels& labels = {});
  // A value read when scraped; `read` must be thread-safe.
  void AddGaugeFunction(const std::string& name, const std::string& help, const Labels& labels,
                        std::function<double()> read);
  void AddCounterFunction(const std::string& name, const std::string& help, const Labels& labels,
                          std::function<double()> read);
  // A histogram that is kept elsewhere: bounds.size() + 1 buckets.
  void AddHistogramFunction(const std::string& name, const std::string& help,
                            std::vector<double> bounds, const Labels& labels,
                            std::function<Histogram::Snapshot()> read);

  // Series that come and go, as kinds of threads: value of `label` → number.
  void AddCounterFamily(const std::string& name, const std::string& help, const std::string& label,
                        std::function<std::map<std::string, double>()> read);

  std::string Text() const;  // Prometheus text format

 private:
  Metrics();
  ~Metrics();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// xylem_process_* (cpu by thread, memory, descriptors), xylem_build_info, xylem_loop_* per loop
// (`loops` outlives the last Text).
class LoopGroup;
void AddProcessMetrics(const std::string& tier);
void AddLoopMetrics(const std::string& name, LoopGroup* loops);

inline const std::vector<double>& LatencyBounds() {
  static const std::vector<double> bounds{
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
  return bounds;
}

}  // namespace runtime
