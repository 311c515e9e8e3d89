#include "lib/runtime/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include "lib/runtime/check.h"

namespace runtime {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricType;

std::vector<ClientMetric::Label> PrometheusLabels(const Labels& labels) {
  std::vector<ClientMetric::Label> out;
  for (const auto& [name, value] : labels) out.push_back({name, value});
  return out;
}

bool GoodName(const std::string& name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

// One time series: exactly one of the members is in use.
struct Series {
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<Histogram> histogram;
  std::function<double()> read;
  std::function<Histogram::Snapshot()> read_histogram;
  std::vector<double> bounds;  // of read_histogram
};

struct Family {
  std::string help;
  MetricType type;
  std::map<Labels, Series> series;
  std::string by;  // label of what `read_all` gives
  std::function<std::map<std::string, double>()> read_all;
};

void SetValue(MetricType type, double value, ClientMetric* out) {
  if (type == MetricType::Counter) {
    out->counter.value = value;
  } else {
    out->gauge.value = value;
  }
}

void SetHistogram(const Histogram::Snapshot& snapshot, const std::vector<double>& bounds,
                  ClientMetric* out) {
  uint64_t cumulative = 0;
  for (size_t i = 0; i < snapshot.buckets.size(); ++i) {
    cumulative += snapshot.buckets[i];
    const double bound =
        i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    out->histogram.bucket.push_back({cumulative, bound});
  }
  out->histogram.sample_count = snapshot.count;
  out->histogram.sample_sum = snapshot.sum;
}

ClientMetric Collect(MetricType type, const Labels& labels, const Series& series) {
  ClientMetric out;
  out.label = PrometheusLabels(labels);
  if (series.histogram) {
    SetHistogram(series.histogram->Read(), series.histogram->bounds(), &out);
  } else if (series.read_histogram) {
    SetHistogram(series.read_histogram(), series.bounds, &out);
  } else if (series.counter) {
    SetValue(type, static_cast<double>(series.counter->value()), &out);
  } else if (series.gauge) {
    SetValue(type, static_cast<double>(series.gauge->value()), &out);
  } else {
    SetValue(type, series.read(), &out);
  }
  return out;
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      buckets_(std::make_unique<std::atomic<uint64_t>[]>(bounds_.size() + 1)) {
  CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::Observe(double value) {
  size_t bucket = static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) -
                                      bounds_.begin());
  buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
  double micro = std::clamp(value * 1e6, 0.0, 1e18);
  sum_micro_.fetch_add(static_cast<uint64_t>(micro + 0.5), std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::Read() const {
  Snapshot snapshot{{}, static_cast<double>(sum_micro_.load(std::memory_order_relaxed)) / 1e6, 0};
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    snapshot.buckets.push_back(buckets_[i].load(std::memory_order_relaxed));
    snapshot.count += snapshot.buckets.back();
  }
  return snapshot;
}

struct Metrics::Impl {
  mutable std::mutex mutex;
  std::map<std::string, Family> families;

  Family& FamilyOf(const std::string& name, const std::string& help, MetricType type) {
    CHECK(GoodName(name));
    // A rate over something that can fall is nonsense: the suffix and the type go together.
    CHECK(name.ends_with("_total") == (type == MetricType::Counter));
    Family& family = families.try_emplace(name, Family{help, type, {}, {}, {}}).first->second;
    CHECK(family.type == type);
    return family;
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Metrics& Metrics::Get() {
  static Metrics* metrics = new Metrics;  // outlives every thread that counts
  return *metrics;
}

Counter& Metrics::GetCounter(const std::string& name, const std::string& help,
                             const Labels& labels) {
  std::lock_guard lock(impl_->mutex);
  Series& series = impl_->FamilyOf(name, help, MetricType::Counter).series[labels];
  if (!series.counter) series.counter = std::make_unique<Counter>();
  return *series.counter;
}

Gauge& Metrics::GetGauge(const std::string& name, const std::string& help, const Labels& labels) {
  std::lock_guard lock(impl_->mutex);
  Series& series = impl_->FamilyOf(name, help, MetricType::Gauge).series[labels];
  if (!series.gauge) series.gauge = std::make_unique<Gauge>();
  return *series.gauge;
}

Histogram& Metrics::GetHistogram(const std::string& name, const std::string& help,
                                 std::vector<double> bounds, const Labels& labels) {
  std::lock_guard lock(impl_->mutex);
  Series& series = impl_->FamilyOf(name, help, MetricType::Histogram).series[labels];
  if (!series.histogram) series.histogram = std::make_unique<Histogram>(std::move(bounds));
  return *series.histogram;
}

void Metrics::AddGaugeFunction(const std::string& name, const std::string& help,
                               const Labels& labels, std::function<double()> read) {
  std::lock_guard lock(impl_->mutex);
  impl_->FamilyOf(name, help, MetricType::Gauge).series[labels] = {.read = std::move(read)};
}

void Metrics::AddCounterFunction(const std::string& name, const std::string& help,
                                 const Labels& labels, std::function<double()> read) {
  std::lock_guard lock(impl_->mutex);
  impl_->FamilyOf(name, help, MetricType::Counter).series[labels] = {.read = std::move(read)};
}

void Metrics::AddHistogramFunction(const std::string& name, const std::string& help,
                                   std::vector<double> bounds, const Labels& labels,
                                   std::function<Histogram::Snapshot()> read) {
  std::lock_guard lock(impl_->mutex);
  Series& series = impl_->FamilyOf(name, help, MetricType::Histogram).series[labels];
  series.bounds = std::move(bounds);
  series.read_histogram = std::move(read);
}

void Metrics::AddCounterFamily(const std::string& name, const std::string& help,
                               const std::string& label,
                               std::function<std::map<std::string, double>()> read) {
  std::lock_guard lock(impl_->mutex);
  Family& family = impl_->FamilyOf(name, help, MetricType::Counter);
  family.by = label;
  family.read_all = std::move(read);
}

std::string Metrics::Text() const {
  std::vector<prometheus::MetricFamily> families;
  {
    std::lock_guard lock(impl_->mutex);
    for (const auto& [name, family] : impl_->families) {
      prometheus::MetricFamily& out = families.emplace_back();
      out.name = name;
      out.help = family.help;
      out.type = family.type;
      for (const auto& [labels, series] : family.series) {
        out.metric.push_back(Collect(family.type, labels, series));
      }
      if (!family.read_all) continue;
      for (const auto& [value, number] : family.read_all()) {
        ClientMetric& metric = out.metric.emplace_back();
        metric.label.push_back({family.by, value});
        SetValue(family.type, number, &metric);
      }
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace runtime
