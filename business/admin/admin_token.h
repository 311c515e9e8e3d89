// The operators' shared token, as `authorization: Bearer <token>` carries it.
#pragma once

#include <string>
#include <string_view>

namespace business {

// Immutable; any thread.
class AdminToken {
 public:
  explicit AdminToken(std::string token) : token_(std::move(token)) {}
  // In constant time, whatever the length. An empty token admits nobody.
  bool Admits(std::string_view authorization) const;
  size_t size() const { return token_.size(); }

 private:
  const std::string token_;
};

}  // namespace business
