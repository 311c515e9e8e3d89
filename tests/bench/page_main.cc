// page_bench URL JID ROUNDS: what a page of 50 of a long archive (archive_rows.py) costs, by the
// way it is asked for. Each round begins at another moment, so that little of it is in any cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/bench/bench_store.h"

namespace business {
namespace {

using Clock = std::chrono::steady_clock;
using runtime::Result;
using runtime::Task;

class Bench {
 public:
  Bench(ArchiveStore* archives, std::string jid, int rounds)
      : archives_(archives), owner_(xmpp::Jid::FromNormalized(std::move(jid))), rounds_(rounds) {}

  Task<void> Run(std::promise<void>* done) {
    Result<ArchiveEnds> ends = co_await archives_->Ends(owner_);
    if (!ends || !ends->first.has_value()) std::abort();
    const int64_t first = ends->first->stamp_ms, last = ends->last->stamp_ms;
    std::uniform_int_distribution<int64_t> moment(first, last);
    for (int i = 0; i < rounds_; ++i) {
      ArchiveQuery newest{.backward = true};
      co_await Ask("the newest", newest);
      ArchiveQuery since{.start_ms = moment(random_)};
      ArchivePage page = co_await Ask("since a moment", since);
      if (page.rows.empty()) continue;
      ArchiveQuery next{.anchor = page.rows.back().id()};
      co_await Ask("the next one", next);
      ArchiveQuery before{.backward = true, .anchor = page.rows.front().id()};
      co_await Ask("the one before", before);
      ArchiveQuery with{.with = page.rows.front().with, .start_ms = moment(random_)};
      co_await Ask("with a contact, since a moment", with);
      ArchiveQuery range{
          .with = page.rows.back().with, .end_ms = moment(random_), .backward = true};
      co_await Ask("with a contact, up to a moment", range);
      ArchiveQuery ids;
      for (const ArchiveRow& row : page.rows) ids.ids.push_back(row.id());
      co_await Ask("fifty by id", ids);
    }
    done->set_value();
  }

  void Print() {
    for (auto& [kind, times] : times_) {
      std::sort(times.begin(), times.end());
      double sum = 0;
      for (const double time : times) sum += time;
      const auto at = [&times = times](double share) {
        return times[std::min(times.size() - 1, static_cast<size_t>(share * times.size()))];
      };
      std::printf("%-32s %6zu  mean %6.2f  median %6.2f  p99 %6.2f  longest %6.2f ms\n",
                  kind.c_str(), times.size(), sum / times.size(), at(0.5), at(0.99), times.back());
    }
  }

 private:
  Task<ArchivePage> Ask(std::string kind, ArchiveQuery query) {
    const auto began = Clock::now();
    Result<ArchivePage> page = co_await archives_->Query(owner_, std::move(query));
    times_[kind].push_back(std::chrono::duration<double, std::milli>(Clock::now() - began).count());
    if (!page) {
      std::fprintf(stderr, "%s: %s\n", kind.c_str(), page.error().message.c_str());
      std::abort();
    }
    co_return *std::move(page);
  }

  ArchiveStore* const archives_;
  const xmpp::Jid owner_;
  const int rounds_;
  std::minstd_rand random_{4711};
  std::map<std::string, std::vector<double>> times_;
};

int Main(int argc, char** argv) {
  if (argc != 4) return 64;
  BenchStore store(argv[1]);
  runtime::EventLoop& loop = store.loop();
  auto archives = store->Archives(&loop);
  Bench bench(archives.get(), argv[2], std::atoi(argv[3]));
  std::promise<void> done;
  loop.Post([&] { runtime::Spawn(bench.Run(&done)); });
  done.get_future().wait();
  bench.Print();
  return 0;
}

}  // namespace
}  // namespace business

int main(int argc, char** argv) { return business::Main(argc, argv); }
