// A unary call on the generic server: one read, the handler, one write. Internal.
#pragma once

#include <grpcpp/alarm.h>
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

// Control traffic: reads on the thread of the call's queue, runs the handler on the control
// queue's, so that a slow handler holds up no stanza. Deletes itself.
void ServeUnary(std::unique_ptr<IncomingCall> call, std::shared_ptr<RpcQueue> control,
                const RpcServer::Unary& handler);

}  // namespace runtime::internal
