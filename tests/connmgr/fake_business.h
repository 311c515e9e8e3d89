// A business server as a manager's links see it: speaks connmgr_business.proto and does nothing
// else. It writes down what it is told and answers as the test wants.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/runtime/event_loop.h"
#include "lib/runtime/rpc.h"
#include "lib/runtime/rpc_batch.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {

// Has a loop of its own. What is public may be called from the test's thread.
class FakeBusiness {
 public:
  struct Options {
    std::string instance = "business-1";
    uint64_t incarnation = 1;
    uint64_t generation = 1;
    bool draining = false;
    std::vector<std::string> domains;
    uint32_t protocol = 1;
    bool late_answers = false;  // understands them
    int port = 0;
    // What is answered by itself.
    bool features = true;  // Opened → FEATURES
    bool bind = true;      // Negotiate → AUTHENTICATED or BOUND and a Ticket
    bool accept = true;    // Submit → Accepted; Announce → Accepted
    bool end = true;       // Closed → Ended
  };
  explicit FakeBusiness(Options options);
  ~FakeBusiness();

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // As a killed process: every stream breaks, the port is free.
  void Kill();

  // Everything that was said, in order, over all streams.
  std::vector<xylem::v1::Up> Said() const;
  // The same, of one kind.
  std::vector<xylem::v1::Up> Said(xylem::v1::Up::ItemCase kind) const;
  size_t Count(xylem::v1::Up::ItemCase kind) const { return Said(kind).size(); }
  std::vector<xylem::v1::Hello> hellos() const;
  int open_streams() const;

  // What a business server must never see: a stanza of a session that it was not told of on that
  // stream, or one whose predecessor did not come on it.
  std::vector<std::string> violations() const;

  void Send(const xylem::v1::Down& item);
  void SendRaw(std::string frame);  // as a frame of its own
  void Change(const std::function<void(Options&)>& change);

  // The epoch of a session that was bound here or anywhere.
  static uint64_t EpochOf(uint64_t connection) { return (uint64_t{1} << 40) + connection; }
  static std::string TicketOf(uint64_t connection) {
    return "ticket of " + std::to_string(connection);
  }

 private:
  struct Stream {
    std::unique_ptr<runtime::RpcStream> rpc;
    std::unique_ptr<runtime::RpcBatch> batch;
    std::map<uint64_t, uint64_t> next_in_seq;  // by connection
  };

  void OnFrame(Stream* stream, std::string_view frame);
  void Watch(Stream* stream, const xylem::v1::Up& item);
  void Answer(Stream* stream, const xylem::v1::Up& item);
  void AnswerNegotiate(Stream* stream, const xylem::v1::Negotiate& negotiate);
  static void Add(Stream* stream, const xylem::v1::Down& item);

  mutable std::mutex mutex_;
  Options options_;
  std::vector<xylem::v1::Up> said_;
  std::vector<xylem::v1::Hello> hellos_;
  std::vector<std::string> violations_;
  int open_streams_ = 0;

  runtime::LinkCounters counters_;
  std::vector<std::shared_ptr<Stream>> streams_;  // on the loop
  runtime::LoopGroup loops_;
  std::unique_ptr<runtime::RpcServer> server_;
  int port_ = 0;
};

}  // namespace connmgr
