// One read or write on its way through a store thread and back to the loop that asked.
#pragma once

#include <absl/functional/any_invocable.h>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "business/store/sql_connection.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"

namespace business {

// Bare JIDs of those whose collections an operation writes.
using StoreOwners = std::vector<std::string>;

// Run and Fail happen on a store thread, Answer on `loop`.
class StoreOperation {
 public:
  StoreOperation(runtime::EventLoop* asked_on, StoreOwners owned)
      : loop(asked_on), owners(std::move(owned)) {}
  virtual ~StoreOperation() = default;
  // False: it failed and is to be undone, alone. May run again after it was undone.
  virtual bool Run(SqlConnection& connection) = 0;
  virtual bool failed() const = 0;
  // Replaces the outcome of an operation that did not fail by itself.
  virtual void Fail(const runtime::Error& error) = 0;
  virtual void Answer() = 0;

  // Operations of one kind that follow each other may run as one, where the engine does better so.
  // nullptr: it runs alone.
  virtual const void* kind() const { return nullptr; }
  // `all` are of this one's kind, itself the first. False: one of them failed, all are to be
  // undone.
  virtual bool RunTogether(SqlConnection& connection, std::span<StoreOperation* const> all);

  runtime::EventLoop* const loop;
  const StoreOwners owners;
  int attempts = 0;  // that were undone for reasons that pass; the store thread's
  const std::chrono::steady_clock::time_point asked = std::chrono::steady_clock::now();
};

using StoreOperationPtr = std::unique_ptr<StoreOperation>;

template <typename T>
using StoreWork = absl::AnyInvocable<runtime::Result<T>(SqlConnection&)>;

template <typename T>
class TypedStoreOperation : public StoreOperation {
 public:
  using Answered = std::shared_ptr<runtime::OneShot<runtime::Result<T>>>;

  TypedStoreOperation(runtime::EventLoop* asked_on, StoreOwners owned, StoreWork<T> work,
                      Answered answered)
      : StoreOperation(asked_on, std::move(owned)),
        work_(std::move(work)),
        answered_(std::move(answered)) {}

  bool Run(SqlConnection& connection) override {
    result_.emplace(work_(connection));
    return result_->has_value();
  }
  bool failed() const override { return result_.has_value() && !result_->has_value(); }
  void Fail(const runtime::Error& error) override {
    if (!failed()) result_.emplace(error);
  }
  void Answer() override { answered_->Set(std::move(*result_)); }

 private:
  StoreWork<T> work_;
  Answered answered_;
  std::optional<runtime::Result<T>> result_;
};

// Hands `operations` back to the loops that asked, one Post a loop.
void AnswerOnLoops(std::vector<StoreOperationPtr> operations);

}  // namespace business
