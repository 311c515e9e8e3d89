// store_bench URL MESSAGES [IN_FLIGHT]: messages into two archives each, and what one costs here.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>

#include "tests/bench/bench_store.h"

namespace business {
namespace {

using Clock = std::chrono::steady_clock;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

constexpr int kAccounts = 1000;

struct Load {
  ArchiveStore* archives;
  int messages = 0, next = 0, done = 0, failed = 0;
  std::promise<void> ended;
};

std::vector<ArchiveEntry> Message(int number) {
  std::string effect(18, '\0');
  const uint64_t mixed = static_cast<uint64_t>(number) * 0x9e3779b97f4a7c15u;
  effect.replace(0, 8, reinterpret_cast<const char*>(&mixed), 8);
  const auto jid = [](int user) {
    return xmpp::Jid::FromNormalized("user" + std::to_string(user % kAccounts) + "@example.com");
  };
  ArchiveEntry sent{.owner = jid(number),
                    .effect = effect,
                    .with = jid(number * 7 + 1),
                    .direction = ArchiveDirection::kOutgoing,
                    .bytes = std::string(300, 'x'),
                    .body = "what light through yonder window breaks",
                    .origin = std::string(16, 'o'),
                    .origin_id = std::to_string(number)};
  ArchiveEntry received = sent;
  received.owner = sent.with;
  received.with = sent.owner;
  received.direction = ArchiveDirection::kIncoming;
  received.effect[17] = 1;
  return {sent, received};
}

runtime::Task<void> Send(Load* load) {
  while (load->next < load->messages) {
    std::vector<ArchiveEntry> entries = Message(load->next++);
    auto places = co_await load->archives->Insert(std::move(entries));
    load->failed += !places.has_value();
    if (++load->done == load->messages) load->ended.set_value();
  }
}

runtime::Task<void> AddAccounts(AccountStore* accounts, std::promise<void>* done) {
  for (int i = 0; i < kAccounts; ++i) {
    Account account;
    account.jid = xmpp::BareJid::FromNormalized("user" + std::to_string(i) + "@example.com");
    auto added = co_await accounts->Add(std::move(account));
    if (!added) std::abort();
  }
  done->set_value();
}

int Main(int argc, char** argv) {
  if (argc < 3) return 64;
  BenchStore store(argv[1]);
  runtime::EventLoop& loop = store.loop();
  auto accounts = store->Accounts(&loop);
  auto archives = store->Archives(&loop);
  std::promise<void> added;
  loop.Post([&] { runtime::Spawn(AddAccounts(accounts.get(), &added)); });
  added.get_future().wait();

  Load load{.archives = archives.get(), .messages = std::atoi(argv[2])};
  const int in_flight = argc > 3 ? std::atoi(argv[3]) : 256;
  const auto began = Clock::now();
  const double cpu = CpuSeconds();
  loop.Post([&] {
    for (int i = 0; i < in_flight; ++i) runtime::Spawn(Send(&load));
  });
  load.ended.get_future().wait();
  const double took = std::chrono::duration<double>(Clock::now() - began).count();
  std::printf("%d messages (%d failed), %d in flight: %.0f/s, %.1f us of this process's CPU each\n",
              load.messages, load.failed, in_flight, load.messages / took,
              1e6 * (CpuSeconds() - cpu) / load.messages);
  return 0;
}

}  // namespace
}  // namespace business

int main(int argc, char** argv) { return business::Main(argc, argv); }
