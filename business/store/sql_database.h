// Reads and writes on the store threads of an engine, asked for by loops.
#pragma once

#include <memory>
#include <utility>

#include "business/store/store_operation.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace business {

// Thread-safe; answers come on the loop given. Must be destroyed before those loops.
class SqlDatabase {
 public:
  virtual ~SqlDatabase() = default;

  // `work` runs inside a transaction with others, perhaps more than once; an Error undoes it alone.
  // `owners`: whose collections it writes; nobody else writes those meanwhile. Answered when
  // committed to disk; outcomes as README.md says.
  template <typename T>
  runtime::Task<runtime::Result<T>> Write(runtime::EventLoop* loop, StoreOwners owners,
                                          StoreWork<T> work) {
    auto answered = std::make_shared<runtime::OneShot<runtime::Result<T>>>();
    Submit(Kind::kWrite, std::make_unique<TypedStoreOperation<T>>(loop, std::move(owners),
                                                                  std::move(work), answered));
    auto& answer = *answered;  // g++ 12 copies what `co_await *x` names
    runtime::Result<T> result = co_await answer;
    co_return result;
  }
  // Sees every write that was answered before, and one moment of the store.
  template <typename T>
  runtime::Task<runtime::Result<T>> Read(runtime::EventLoop* loop, StoreWork<T> work) {
    auto answered = std::make_shared<runtime::OneShot<runtime::Result<T>>>();
    Submit(Kind::kRead, std::make_unique<TypedStoreOperation<T>>(loop, StoreOwners{},
                                                                 std::move(work), answered));
    auto& answer = *answered;  // g++ 12 copies what `co_await *x` names
    runtime::Result<T> result = co_await answer;
    co_return result;
  }

  enum class Kind { kRead, kWrite };
  virtual void Submit(Kind kind, StoreOperationPtr operation) = 0;
};

}  // namespace business
