#include "connmgr/business_discovery.h"

#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include "lib/runtime/log.h"

namespace connmgr {
namespace {

// Of "host:port" or "[v6]:port".
std::pair<std::string, std::string> Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {address, ""};
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return {host, address.substr(colon + 1)};
}

std::vector<BusinessAddress> Look(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  std::vector<BusinessAddress> found;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &list) != 0) return found;
  for (const addrinfo* item = list; item != nullptr; item = item->ai_next) {
    char number[INET6_ADDRSTRLEN + IF_NAMESIZE];
    if (getnameinfo(item->ai_addr, item->ai_addrlen, number, sizeof number, nullptr, 0,
                    NI_NUMERICHOST) != 0) {
      continue;
    }
    const std::string text =
        item->ai_family == AF_INET6 ? "[" + std::string(number) + "]" : std::string(number);
    found.push_back({text + ":" + port, host});
  }
  freeaddrinfo(list);
  return found;
}

}  // namespace

struct BusinessDiscovery::Name {
  std::string host, port;
  std::vector<BusinessAddress> found;
  bool under_way = false;
  bool failed = false;
};

// Shared with the threads: the loop is posted to only while this is there.
struct BusinessDiscovery::Answers {
  std::mutex mutex;
  runtime::EventLoop* loop;
  BusinessDiscovery* discovery;  // read and written on the loop only
};

BusinessDiscovery::BusinessDiscovery(runtime::EventLoop* loop, std::vector<std::string> addresses,
                                     std::chrono::milliseconds interval, OnChange on_change)
    : Timer([](Timer* timer) { static_cast<BusinessDiscovery*>(timer)->Resolve(); }),
      loop_(loop),
      interval_(interval),
      on_change_(std::move(on_change)),
      answers_(std::make_shared<Answers>()) {
  answers_->loop = loop;
  answers_->discovery = this;
  for (const std::string& address : addresses) {
    auto [host, port] = Split(address);
    std::vector<BusinessAddress> numeric = Look(host, port, AI_NUMERICHOST);
    if (numeric.empty()) {
      names_.push_back({host, port, {}, false, false});
    } else {
      numeric_.push_back(numeric.front());
    }
  }
}

BusinessDiscovery::~BusinessDiscovery() {
  std::lock_guard lock(answers_->mutex);
  answers_->loop = nullptr;
  answers_->discovery = nullptr;
}

void BusinessDiscovery::Start() {
  Tell();
  if (!names_.empty()) Resolve();
}

void BusinessDiscovery::Resolve() {
  for (size_t i = 0; i < names_.size(); ++i) {
    Name& name = names_[i];
    if (std::exchange(name.under_way, true)) continue;  // one thread a name, however slow
    std::thread([answers = answers_, i, host = name.host, port = name.port] {
      std::vector<BusinessAddress> found = Look(host, port, 0);
      std::lock_guard lock(answers->mutex);
      if (answers->loop == nullptr) return;
      answers->loop->Post([answers, i, found = std::move(found)]() mutable {
        if (answers->discovery != nullptr) answers->discovery->OnResolved(i, std::move(found));
      });
    }).detach();
  }
  loop_->Arm(this, interval_);
}

void BusinessDiscovery::OnResolved(size_t index, std::vector<BusinessAddress> found) {
  Name& name = names_[index];
  name.under_way = false;
  if (found.empty()) {
    if (!std::exchange(name.failed, true)) {
      runtime::LogWarn("name_unresolved", "The name of business servers cannot be resolved.",
                       {{"host", name.host}});
    }
    return;
  }
  name.failed = false;
  name.found = std::move(found);
  Tell();
}

void BusinessDiscovery::Tell() {
  std::vector<BusinessAddress> all = numeric_;
  for (const Name& name : names_) all.insert(all.end(), name.found.begin(), name.found.end());
  // By address: two names of one server are one server.
  std::sort(all.begin(), all.end(), [](const BusinessAddress& a, const BusinessAddress& b) {
    return a.address != b.address ? a.address < b.address : a.server_name < b.server_name;
  });
  all.erase(std::unique(all.begin(), all.end(),
                        [](const BusinessAddress& a, const BusinessAddress& b) {
                          return a.address == b.address;
                        }),
            all.end());
  if (all == told_) return;
  told_ = all;
  on_change_(told_);
}

}  // namespace connmgr
