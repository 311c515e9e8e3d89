// A unary call on the generic server: one read, the handler, one write. Internal.
#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include <memory>
#include <string>

#include "lib/runtime/rpc.h"
#include "lib/runtime/rpc_queue.h"

namespace runtime::internal {

// Everything of one call that gRPC hands out and takes back.
struct IncomingCall {
  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter stream{&context};
  std::shared_ptr<RpcQueue> queue;  // of the operations
};

// Control traffic. Reads, and runs the handler, on the thread that drains the call's queue. Deletes
// itself.
void ServeUnary(std::unique_ptr<IncomingCall> call, const RpcServer::Unary& handler);

}  // namespace runtime::internal
