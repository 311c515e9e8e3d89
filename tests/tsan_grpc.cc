// What gRPC promises, told to ThreadSanitizer: starting an operation happens before its completion
// comes out of the queue, and so does what gRPC's threads did for it; making a slice happens before
// its memory is given back. Debian's gRPC is not instrumented and hands over by atomics and futexes
// that TSan cannot see; without this each completion would look like a race in our code, and a
// suppression for it would hide the real ones. Linked into each program of the tsan build: the
// dynamic linker takes these functions before libgrpc's, and they call those.
#include <absl/status/status.h>
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>

#include <cstdlib>
#include <utility>

namespace {

template <typename Function>
Function* Next(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();
  return reinterpret_cast<Function*>(found);
}

struct SliceMemory {
  void (*destroy)(void*);
  void* user_data;
};

void DestroySlice(void* arg) {
  auto* memory = static_cast<SliceMemory*>(arg);
  __tsan_acquire(memory);
  memory->destroy(memory->user_data);
  delete memory;
}

}  // namespace

// gRPC's own: each completion of each queue passes here, on the thread that made it.
struct grpc_cq_completion;
using CompletionDone = void (*)(void* arg, grpc_cq_completion* storage);
void grpc_cq_end_op(grpc_completion_queue* queue, void* tag, absl::Status error,
                    CompletionDone done, void* arg, grpc_cq_completion* storage, bool internal);

void grpc_cq_end_op(grpc_completion_queue* queue, void* tag, absl::Status error,
                    CompletionDone done, void* arg, grpc_cq_completion* storage, bool internal) {
  static auto* const real = Next<decltype(grpc_cq_end_op)>(
      "_Z14grpc_cq_end_opP21grpc_completion_queuePvN4absl7debian36StatusEPFvS1_"
      "P18grpc_cq_completionES1_S6_b");
  __tsan_release(tag);
  real(queue, tag, std::move(error), done, arg, storage, internal);
}

extern "C" {

grpc_slice grpc_slice_new_with_user_data(void* bytes, size_t size, void (*destroy)(void*),
                                         void* user_data) {
  static auto* const real =
      Next<decltype(grpc_slice_new_with_user_data)>("grpc_slice_new_with_user_data");
  auto* memory = new SliceMemory{destroy, user_data};
  __tsan_release(memory);
  return real(bytes, size, DestroySlice, memory);
}

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  static auto* const real = Next<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  __tsan_release(tag);
  return real(call, ops, count, tag, reserved);
}

grpc_call_error grpc_server_request_call(grpc_server* server, grpc_call** call,
                                         grpc_call_details* details, grpc_metadata_array* metadata,
                                         grpc_completion_queue* bound,
                                         grpc_completion_queue* notified, void* tag) {
  static auto* const real = Next<decltype(grpc_server_request_call)>("grpc_server_request_call");
  __tsan_release(tag);
  return real(server, call, details, metadata, bound, notified, tag);
}

void grpc_server_shutdown_and_notify(grpc_server* server, grpc_completion_queue* queue, void* tag) {
  static auto* const real =
      Next<decltype(grpc_server_shutdown_and_notify)>("grpc_server_shutdown_and_notify");
  __tsan_release(tag);
  real(server, queue, tag);
}

void grpc_completion_queue_shutdown(grpc_completion_queue* queue) {
  static auto* const real =
      Next<decltype(grpc_completion_queue_shutdown)>("grpc_completion_queue_shutdown");
  __tsan_release(queue);
  real(queue);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
  static auto* const real =
      Next<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  const grpc_event event = real(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  if (event.type == GRPC_QUEUE_SHUTDOWN) __tsan_acquire(queue);
  return event;
}

}  // extern "C"
