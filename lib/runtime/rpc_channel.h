// What both ends of a gRPC connection agree on: credentials, keepalive, limits. Internal.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/runtime/rpc.h"
#include "lib/runtime/rpc_address.h"

namespace runtime::internal {

constexpr int kMaxFrameBytes = 4 << 20;

using ChannelInts = std::vector<std::pair<const char*, int>>;
// Keepalive 10 s / 5 s without limits on pings, windows wide enough for a burst, everything off
// that a stream of our own does not need.
ChannelInts CommonArguments(int max_frame_bytes);

// nullptr: a file cannot be read; logged.
std::shared_ptr<grpc::ChannelCredentials> ClientCredentials(const RpcCredentials& credentials);
std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const RpcCredentials& credentials);

grpc::ByteBuffer ToByteBuffer(std::string frame);
// The frame's bytes: a view into `buffer` if it is of one piece, else `flat` holds the copy.
std::string_view FrameView(const grpc::ByteBuffer& buffer, grpc::Slice* flat);

}  // namespace runtime::internal
