#include "lib/runtime/rpc.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "lib/runtime/rpc_batch.h"
#include "proto/connmgr_business.pb.h"

namespace runtime {
namespace {

// As every main does. Tests with one loop poll there, those with two do so until the second comes.
class Prepared final : public testing::Environment {
  void SetUp() override {
    const char* wish = std::getenv("XYLEM_RPC_COMPLETIONS");
    const bool threads = wish != nullptr && std::string(wish) == "threads";
    EXPECT_EQ(PrepareRpc(1), threads ? RpcCompletions::kThreads : RpcCompletions::kPolledByLoop);
  }
};
[[maybe_unused]] const auto* const prepared = testing::AddGlobalTestEnvironment(new Prepared);

constexpr char kMethod[] = "/xylem.v1.ConnmgrBusiness/Attach";

// Waits for `condition`, which some loop makes true.
template <typename Condition>
testing::AssertionResult Eventually(Condition condition) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return testing::AssertionFailure() << "late";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return testing::AssertionSuccess();
}

// A server that sends each frame back, and keeps what it saw.
struct EchoServer {
  struct Session {
    std::unique_ptr<RpcStream> stream;
    std::deque<std::string> queue;
    void Pump() {
      if (!stream || queue.empty() || !stream->writable()) return;
      std::string frame = std::move(queue.front());
      queue.pop_front();
      stream->Send(std::move(frame));
    }
  };

  explicit EchoServer(LoopGroup* l, RpcServer::Unary unary = {}, int port = 0) : loops(l) {
    sessions.resize(static_cast<size_t>(loops->size()));
    server = RpcServer::Start(
        {.address = "127.0.0.1:" + std::to_string(port)}, loops, {kMethod},
        [this](EventLoop& loop, std::unique_ptr<RpcStream> stream) {
          ++accepted;
          auto session = std::make_shared<Session>();
          session->stream = std::move(stream);
          sessions[static_cast<size_t>(loop.index())].insert(session);
          Session* s = session.get();
          s->stream->Start({.on_frame =
                                [this, s](std::string_view frame) {
                                  ++frames;
                                  s->queue.emplace_back(frame);
                                  s->Pump();
                                },
                            .on_writable = [s] { s->Pump(); },
                            .on_closed =
                                [this, session](std::string) {
                                  session->stream = nullptr;
                                  ++closed;
                                }});
        },
        std::move(unary));
  }
  ~EchoServer() {
    if (server) server->Shutdown();
    for (int i = 0; i < loops->size(); ++i) {
      loops->RunOn(i, [&] { sessions[static_cast<size_t>(i)].clear(); });
    }
  }

  LoopGroup* loops;
  std::vector<std::set<std::shared_ptr<Session>>> sessions;
  std::atomic<int> accepted{0}, closed{0};
  std::atomic<uint64_t> frames{0};
  std::unique_ptr<RpcServer> server;
};

struct TestClient {
  explicit TestClient(LoopGroup* l, int i = 0) : loops(l), index(i) {
    loops->RunOn(index, [&] { client = RpcClient::Create(&loops->at(index), {}); });
  }
  ~TestClient() {
    loops->RunOn(index, [&] {
      stream = nullptr;
      client = nullptr;
    });
  }
  void Open(const std::string& address) {
    loops->RunOn(index, [&] {
      stream = client->Open(address, kMethod);
      stream->Start({.on_frame = [this](std::string_view f) { received.emplace_back(f), ++count; },
                     .on_writable = [this] { Pump(); },
                     .on_closed =
                         [this](std::string why) {
                           reason = std::move(why);
                           closed = true;
                         }});
    });
  }
  void Pump() {
    if (!stream->writable() || to_send.empty()) return;
    std::string frame = std::move(to_send.front());
    to_send.pop_front();
    stream->Send(std::move(frame));
  }
  void Send(std::string frame) {
    loops->RunOn(index, [&] {
      to_send.push_back(std::move(frame));
      Pump();
    });
  }
  LoopGroup* loops;
  int index;
  std::unique_ptr<RpcClient> client;
  std::unique_ptr<RpcStream> stream;
  std::deque<std::string> to_send;
  std::vector<std::string> received;
  std::atomic<int> count{0};
  std::atomic<bool> closed{false};
  std::string reason;
};

std::string Local(int port) { return "127.0.0.1:" + std::to_string(port); }

TEST(Rpc, FramesKeepTheirOrderBothWays) {
  LoopGroup loops("test", 2);
  EchoServer server(&loops);
  TestClient client(&loops);
  client.Open(Local(server.server->port()));
  constexpr int kFrames = 2000;
  loops.RunOn(0, [&] {
    for (int i = 0; i < kFrames; ++i) {
      client.to_send.push_back(std::to_string(i) + std::string(i % 5000, 'x'));
    }
    client.Pump();
  });
  ASSERT_TRUE(Eventually([&] { return client.count == kFrames; }));
  loops.RunOn(0, [&] {
    for (int i = 0; i < kFrames; ++i) {
      ASSERT_EQ(client.received[i], std::to_string(i) + std::string(i % 5000, 'x'));
    }
  });
}

TEST(Rpc, AFrameOfFourMebibytesPasses) {
  LoopGroup loops("test", 1);
  EchoServer server(&loops);
  TestClient client(&loops);
  client.Open(Local(server.server->port()));
  client.Send(std::string((4 << 20) - 64, 'y'));
  client.Send("small");
  ASSERT_TRUE(Eventually([&] { return client.count == 2; }));
  loops.RunOn(0, [&] {
    EXPECT_EQ(client.received[0].size(), (4u << 20) - 64);
    EXPECT_EQ(client.received[1], "small");
  });
}

TEST(Rpc, PeersAreReachedDirectlyWhateverProxyIsSet) {
  setenv("grpc_proxy", "http://127.0.0.1:1", 1);  // nobody listens there
  unsetenv("no_grpc_proxy");
  unsetenv("no_proxy");
  LoopGroup loops("test", 1);
  EchoServer server(&loops);
  TestClient client(&loops);
  client.Open(Local(server.server->port()));
  client.Send("hello");
  EXPECT_TRUE(Eventually([&] { return client.count == 1; }));
  unsetenv("grpc_proxy");
}

TEST(Rpc, ATooLargeFrameEndsTheStream) {
  LoopGroup loops("test", 1);
  EchoServer server(&loops);
  TestClient client(&loops);
  client.Open(Local(server.server->port()));
  client.Send(std::string((4 << 20) + 64, 'y'));
  EXPECT_TRUE(Eventually([&] { return client.closed.load(); }));
}

TEST(Rpc, AnUnreachableAddressEndsInOnClosed) {
  LoopGroup loops("test", 1);
  int port;
  {
    EchoServer server(&loops);
    port = server.server->port();
  }
  TestClient client(&loops);
  client.Open(Local(port));
  ASSERT_TRUE(Eventually([&] { return client.closed.load(); }));
  loops.RunOn(0, [&] { EXPECT_FALSE(client.reason.empty()); });
}

TEST(Rpc, PlaintextIsRefusedBeyondLoopback) {
  LoopGroup loops("test", 1);
  TestClient client(&loops);
  client.Open("192.0.2.1:5000");
  ASSERT_TRUE(Eventually([&] { return client.closed.load(); }));
  loops.RunOn(0, [&] { EXPECT_EQ(client.reason, "plaintext is refused beyond loopback"); });
  EXPECT_EQ(RpcServer::Start({.address = "0.0.0.0:0"}, &loops, {kMethod}, {}, {}), nullptr);
}

TEST(Rpc, AnAddressInUseIsRefused) {
  LoopGroup loops("test", 1);
  EchoServer server(&loops);
  EXPECT_EQ(RpcServer::Start({.address = Local(server.server->port())}, &loops, {kMethod}, {}, {}),
            nullptr);
}

TEST(Rpc, TheClientsCloseReachesTheServer) {
  LoopGroup loops("test", 2);
  EchoServer server(&loops);
  TestClient client(&loops);
  client.Open(Local(server.server->port()));
  client.Send("hello");
  ASSERT_TRUE(Eventually([&] { return client.count == 1; }));
  loops.RunOn(0, [&] { client.stream->Close(); });
  EXPECT_TRUE(Eventually([&] { return server.closed == 1; }));
  EXPECT_TRUE(Eventually([&] { return client.closed.load(); }));
}

TEST(Rpc, TheServersCloseReachesTheClient) {
  LoopGroup loops("test", 1);
  EchoServer server(&loops);
  TestClient client(&loops);
  client.Open(Local(server.server->port()));
  client.Send("hello");
  ASSERT_TRUE(Eventually([&] { return client.count == 1; }));
  loops.RunOn(0, [&] { (*server.sessions[0].begin())->stream->Close(); });
  EXPECT_TRUE(Eventually([&] { return server.closed == 1; }));
  EXPECT_TRUE(Eventually([&] { return client.closed.load(); }));
}

TEST(Rpc, DroppingTheHandleCancels) {
  LoopGroup loops("test", 1);
  EchoServer server(&loops);
  TestClient client(&loops);
  client.Open(Local(server.server->port()));
  client.Send("hello");
  ASSERT_TRUE(Eventually([&] { return client.count == 1; }));
  loops.RunOn(0, [&] { client.stream = nullptr; });
  EXPECT_TRUE(Eventually([&] { return server.closed == 1; }));
  EXPECT_FALSE(client.closed);
}

TEST(Rpc, StreamsAreGivenToLoopsInTurn) {
  LoopGroup loops("test", 2);
  EchoServer server(&loops);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<TestClient>(&loops));
    clients.back()->Open(Local(server.server->port()));
    clients.back()->Send("x");
    ASSERT_TRUE(Eventually([&] { return clients.back()->count == 1; }));
  }
  loops.RunOn(0, [&] { EXPECT_EQ(server.sessions[0].size(), 2u); });
  loops.RunOn(1, [&] { EXPECT_EQ(server.sessions[1].size(), 2u); });
}

TEST(Rpc, AServerThatStopsEndsItsStreams) {
  LoopGroup loops("test", 2);
  auto server = std::make_unique<EchoServer>(&loops);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<TestClient>(&loops, i % 2));
    clients.back()->Open(Local(server->server->port()));
    for (int k = 0; k < 50; ++k) clients.back()->Send("x" + std::string(1000, 'x'));
  }
  server = nullptr;
  for (auto& client : clients) EXPECT_TRUE(Eventually([&] { return client->closed.load(); }));
}

TEST(Rpc, LoopsMayStopFirst) {
  std::unique_ptr<RpcServer> server;
  std::unique_ptr<RpcStream> kept;
  std::atomic<int> accepted{0};
  LoopGroup client_loops("client", 1);
  TestClient client(&client_loops);
  {
    LoopGroup loops("test", 1);
    server = RpcServer::Start({.address = "127.0.0.1:0"}, &loops, {kMethod},
                              [&](EventLoop&, std::unique_ptr<RpcStream> stream) {
                                kept = std::move(stream);
                                kept->Start({.on_frame = [](std::string_view) {}});
                                ++accepted;
                              },
                              {});
    client.Open(Local(server->port()));
    client.Send("x");
    ASSERT_TRUE(Eventually([&] { return accepted == 1; }));
    loops.StopAndJoin();
    server->Shutdown();
    kept = nullptr;
  }
  EXPECT_TRUE(Eventually([&] { return client.closed.load(); }));
}

TEST(Rpc, AWriteThatLeavesAtOnceWakesNobody) {
  LoopGroup server_loops("server", 1), loops("test", 1);
  std::unique_ptr<RpcStream> kept;
  std::atomic<int> frames{0};
  auto server = RpcServer::Start({.address = "127.0.0.1:0"}, &server_loops, {kMethod},
                                 [&](EventLoop&, std::unique_ptr<RpcStream> stream) {
                                   kept = std::move(stream);
                                   kept->Start({.on_frame = [&](std::string_view) { ++frames; }});
                                 },
                                 {});
  {
    TestClient client(&loops);
    client.Open(Local(server->port()));
    client.Send("the first waits for the connection");
    ASSERT_TRUE(Eventually([&] { return frames == 1; }));
    const RpcStats before = client.client->stats();
    constexpr int kFrames = 200;
    for (int i = 0; i < kFrames; ++i) client.Send("x");
    ASSERT_TRUE(Eventually([&] { return frames == 1 + kFrames; }));
    const RpcStats after = client.client->stats();
    EXPECT_GE(after.completions - before.completions, 1u * kFrames);
    EXPECT_LT(after.wakeups - before.wakeups, kFrames / 4u);
  }
  server->Shutdown();
  server_loops.RunOn(0, [&] { kept = nullptr; });
}

TEST(Rpc, NoAnswerWaitsForATimer) {
  LoopGroup loops("test", 1);
  EchoServer server(&loops);
  constexpr int kClients = 8, kTurns = 100;
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<TestClient>(&loops));
    clients.back()->Open(Local(server.server->port()));
    clients.back()->Send("first");
    ASSERT_TRUE(Eventually([&] { return clients.back()->count == 1; }));
  }
  int fast = 0;
  for (int turn = 1; turn <= kTurns; ++turn) {
    const auto begin = std::chrono::steady_clock::now();
    loops.RunOn(0, [&] {
      for (auto& client : clients) client->stream->Send("x");
    });
    for (auto& client : clients) {
      while (client->count < 1 + turn) {
        ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
        std::this_thread::yield();
      }
    }
    // No timer is as quick as that.
    if (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(5)) ++fast;
  }
  EXPECT_GT(fast, kTurns / 4);  // the machine may be slow now and then
}

struct UnaryAnswer {
  grpc::Status status;
  std::string response;
};
UnaryAnswer CallUnary(int port, const std::string& method, const std::string& request) {
  auto channel = grpc::CreateChannel(Local(port), grpc::InsecureChannelCredentials());
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer t");
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  grpc::Slice slice(request);
  grpc::ByteBuffer in(&slice, 1), out;
  grpc::CompletionQueue queue;
  auto call = stub.PrepareUnaryCall(&context, method, in, &queue);
  call->StartCall();
  UnaryAnswer answer;
  call->Finish(&out, &answer.status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  if (answer.status.ok()) {
    grpc::Slice flat;
    EXPECT_TRUE(out.DumpToSingleSlice(&flat).ok());
    answer.response.assign(reinterpret_cast<const char*>(flat.begin()), flat.size());
  }
  return answer;
}

TEST(Rpc, UnaryCallsGetTheirAnswerFromAnyThread) {
  LoopGroup loops("test", 1);
  EchoServer server(&loops, [&](const std::string& method, std::string request,
                                const std::string& authorization, RpcServer::Respond respond) {
    if (method == "/xylem.v1.Admin/Drop") return;
    if (method == "/xylem.v1.Admin/No") return respond(7, "not yours", "");
    loops.at(0).Post([=, respond = std::move(respond)]() mutable {
      respond(0, "", method + "|" + request + "|" + authorization);
    });
  });
  int port = server.server->port();
  UnaryAnswer answer = CallUnary(port, "/xylem.v1.Admin/ListUsers", "please");
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.response, "/xylem.v1.Admin/ListUsers|please|Bearer t");
  EXPECT_EQ(CallUnary(port, "/xylem.v1.Admin/No", "").status.error_message(), "not yours");
  EXPECT_EQ(CallUnary(port, "/xylem.v1.Admin/Drop", "").status.error_code(),
            grpc::StatusCode::INTERNAL);
}

TEST(Rpc, AnUnansweredUnaryCallDoesNotHoldUpTheShutdown) {
  LoopGroup loops("test", 1);
  std::promise<RpcServer::Respond> kept;
  auto server = std::make_unique<EchoServer>(
      &loops, [&](const std::string&, std::string, const std::string&, RpcServer::Respond respond) {
        kept.set_value(std::move(respond));
      });
  int port = server->server->port();
  auto answer = std::async(std::launch::async, [&] { return CallUnary(port, "/a/B", "x"); });
  RpcServer::Respond respond = kept.get_future().get();
  server = nullptr;
  respond(0, "", "late");
  EXPECT_FALSE(answer.get().status.ok());
}

TEST(RpcBatch, ATurnsItemsShareAFrame) {
  LoopGroup loops("test", 1);
  EchoServer server(&loops);
  TestClient client(&loops);
  LinkCounters counters;
  std::unique_ptr<RpcBatch> batch;
  std::atomic<bool> up{false};
  loops.RunOn(0, [&] {
    batch = std::make_unique<RpcBatch>(&loops.at(0), &counters);
    client.stream = client.client->Open(Local(server.server->port()), kMethod);
    batch->Attach(client.stream.get());
    client.stream->Start(
        {.on_frame = [&](std::string_view f) { client.received.emplace_back(f), ++client.count; },
         .on_writable = [&] { up = true, batch->OnWritable(); }});
  });
  ASSERT_TRUE(Eventually([&] { return up.load(); }));
  loops.RunOn(0, [&] {
    xylem::v1::Hello hello;
    hello.set_instance("connmgr-1");
    batch->AddHello(hello);
    for (int i = 0; i < 300; ++i) {
      xylem::v1::Closed closed;
      closed.set_connection(static_cast<uint64_t>(i));
      batch->Add(xylem::v1::Up::kClosedFieldNumber, closed);
    }
  });
  ASSERT_TRUE(Eventually([&] { return client.count == 4; }));  // hello, 128, 128, 44
  loops.RunOn(0, [&] {
    EXPECT_EQ(counters.frames_out.value(), 4u);
    EXPECT_EQ(batch->queued_items(), 0u);
    EXPECT_EQ(batch->queued_bytes(), 0u);
    int items = 0, hellos = 0;
    for (const std::string& frame : client.received) {
      xylem::v1::ManagerFrame parsed;  // what we write by hand is what protobuf reads
      ASSERT_TRUE(parsed.ParseFromString(frame));
      RpcFrameReader reader(frame);
      for (auto kind = reader.Next(); kind != RpcFrameReader::Kind::kEnd; kind = reader.Next()) {
        ASSERT_NE(kind, RpcFrameReader::Kind::kMalformed);
        if (kind == RpcFrameReader::Kind::kHello) {
          EXPECT_EQ(parsed.hello().instance(), "connmgr-1");
          ++hellos;
          continue;
        }
        xylem::v1::Closed closed;
        ASSERT_EQ(reader.field(), xylem::v1::Up::kClosedFieldNumber);
        ASSERT_TRUE(
            closed.ParseFromArray(reader.bytes().data(), static_cast<int>(reader.bytes().size())));
        EXPECT_EQ(closed.connection(), static_cast<uint64_t>(items++));
      }
    }
    EXPECT_EQ(items, 300);
    EXPECT_EQ(hellos, 1);
    batch = nullptr;
  });
}

TEST(RpcFrameReader, RefusesWhatIsMalformedAndSkipsWhatIsUnknown) {
  using Kind = RpcFrameReader::Kind;
  EXPECT_EQ(RpcFrameReader("").Next(), Kind::kEnd);
  EXPECT_EQ(RpcFrameReader("\x12\x05\x0a").Next(), Kind::kMalformed);
  EXPECT_EQ(RpcFrameReader("\x12").Next(), Kind::kMalformed);
  EXPECT_EQ(RpcFrameReader("\x13\x01").Next(), Kind::kMalformed);
  EXPECT_EQ(RpcFrameReader(std::string_view("\x7a\x01z\x08\x01\x12\x00", 7)).Next(), Kind::kEnd);
  RpcFrameReader reader(std::string_view("\x7a\x01z\x12\x03\x1a\x01q", 8));
  ASSERT_EQ(reader.Next(), Kind::kItem);
  EXPECT_EQ(reader.field(), 3);
  EXPECT_EQ(reader.bytes(), "q");
}

}  // namespace
}  // namespace runtime
