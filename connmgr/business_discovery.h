// Where business servers are: configured addresses, names among them looked up again and again.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lib/runtime/event_loop.h"

namespace connmgr {

// "host:port" or "[v6]:port", the host a number; as gRPC takes it.
struct BusinessAddress {
  std::string address;
  std::string server_name;  // the configured host: what the certificate is for
  friend bool operator==(const BusinessAddress&, const BusinessAddress&) = default;
};

// Lives on its loop. Numeric addresses are known at once; a name is resolved on a short thread each
// `interval`, because a resolver that hangs must not hang the loop. A name that cannot be resolved
// keeps the addresses it had.
class BusinessDiscovery final : private runtime::Timer {
 public:
  using OnChange = absl::AnyInvocable<void(const std::vector<BusinessAddress>&)>;

  BusinessDiscovery(runtime::EventLoop* loop, std::vector<std::string> addresses,
                    std::chrono::milliseconds interval, OnChange on_change);
  ~BusinessDiscovery();

  // `on_change` comes from inside this call for what is numeric, and later for names.
  void Start();

 private:
  struct Name;
  struct Answers;

  void Resolve();
  void OnResolved(size_t name, std::vector<BusinessAddress> found);
  void Tell();

  runtime::EventLoop* const loop_;
  const std::chrono::milliseconds interval_;
  OnChange on_change_;
  std::vector<BusinessAddress> numeric_;
  std::vector<Name> names_;
  std::vector<BusinessAddress> told_;
  std::shared_ptr<Answers> answers_;
};

}  // namespace connmgr
