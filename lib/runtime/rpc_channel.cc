#include "lib/runtime/rpc_channel.h"

#include <grpc/grpc.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <climits>
#include <fstream>
#include <optional>
#include <sstream>

#include "lib/runtime/log.h"

namespace runtime::internal {

ChannelInts CommonArguments(int max_frame_bytes) {
  return {
      {GRPC_ARG_KEEPALIVE_TIME_MS, 10000},
      // Also the TCP user timeout: a peer that is gone without a word is noticed in 15 s (F14).
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0},
      {GRPC_ARG_HTTP2_MIN_SENT_PING_INTERVAL_WITHOUT_DATA_MS, 5000},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000},
      {GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0},
      {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, max_frame_bytes},
      {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, max_frame_bytes},
      // A fixed window instead of probing pings; one HTTP/2 frame for a full batch.
      {GRPC_ARG_HTTP2_BDP_PROBE, 0},
      {GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1 << 20},
      {GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 128 << 10},
      // Peers are reached directly, whatever http_proxy says in the environment.
      {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
      {GRPC_ARG_ENABLE_CENSUS, 0},
      {GRPC_ARG_ENABLE_CHANNELZ, 0},
      {GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0},
      {GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0},
  };
}

namespace {
std::optional<std::string> ReadPem(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    LogError("rpc_credentials", "cannot read a PEM file", {{"path", path}});
    return std::nullopt;
  }
  return text.str();
}

struct Pem {
  std::string certificate, key, ca;
};
std::optional<Pem> ReadAll(const RpcCredentials& credentials) {
  std::optional<std::string> certificate = ReadPem(credentials.certificate);
  std::optional<std::string> key = ReadPem(credentials.key);
  std::optional<std::string> ca = ReadPem(credentials.ca);
  if (!certificate || !key || !ca) return std::nullopt;
  return Pem{std::move(*certificate), std::move(*key), std::move(*ca)};
}
}  // namespace

std::shared_ptr<grpc::ChannelCredentials> ClientCredentials(const RpcCredentials& credentials) {
  if (credentials.empty()) return grpc::InsecureChannelCredentials();
  std::optional<Pem> pem = ReadAll(credentials);
  if (!pem) return nullptr;
  return grpc::SslCredentials({pem->ca, pem->key, pem->certificate});
}

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const RpcCredentials& credentials) {
  if (credentials.empty()) return grpc::InsecureServerCredentials();
  std::optional<Pem> pem = ReadAll(credentials);
  if (!pem) return nullptr;
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = pem->ca;
  options.pem_key_cert_pairs.push_back({pem->key, pem->certificate});
  return grpc::SslServerCredentials(options);
}

grpc::ByteBuffer ToByteBuffer(std::string frame) {
  constexpr size_t kCopyBelow = 2048;  // a copy is cheaper than the second allocation
  if (frame.size() < kCopyBelow) {
    grpc::Slice slice(frame.data(), frame.size());
    return grpc::ByteBuffer(&slice, 1);
  }
  auto* kept = new std::string(std::move(frame));
  grpc::Slice slice(
      kept->data(), kept->size(), [](void* s) { delete static_cast<std::string*>(s); }, kept);
  return grpc::ByteBuffer(&slice, 1);
}

std::string_view FrameView(const grpc::ByteBuffer& buffer, grpc::Slice* flat) {
  if (!buffer.TrySingleSlice(flat).ok() && !buffer.DumpToSingleSlice(flat).ok()) return {};
  return {reinterpret_cast<const char*>(flat->begin()), flat->size()};
}

}  // namespace runtime::internal
