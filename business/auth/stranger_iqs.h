// Iqs of clients that have not logged in: those that make an account.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lib/runtime/task.h"

namespace business {

// What is known of a stream before it is logged in. Lives as long as the stream, on its loop.
struct Stranger {
  std::string domain;  // normalised
  std::string peer_address;
  bool tls = false;
  uint32_t asked = 0;      // iqs
  std::string invitation;  // the token it has shown (XEP-0445), if it is a good one
};

class StrangerIqs {
 public:
  virtual ~StrangerIqs() = default;
  // Children of <stream:features/>, each with its namespace declared.
  virtual std::string Features(const Stranger& stranger) = 0;
  // `iq` is canonical, and so is the answer: with `from`, without `to`. Empty: the stream has asked
  // too much and is to be closed. May be asked again for the same iq.
  virtual runtime::Task<std::string> Answer(std::shared_ptr<Stranger> stranger, std::string iq) = 0;
};

}  // namespace business
