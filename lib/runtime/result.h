// What Redis, SQL, RPC and DNS answer: a value, a failure, or not known (R4).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "lib/runtime/check.h"

namespace runtime {

enum class ErrorKind {
  kFailed,       // it certainly did not happen: refused, not connected, bad request
  kUnknown,      // it was sent and no answer came: may or may not have happened
  kUnavailable,  // circuit open or queue full: not even sent
};

struct Error {
  ErrorKind kind = ErrorKind::kFailed;
  std::string message;

  bool unknown() const { return kind == ErrorKind::kUnknown; }
  static Error Failed(std::string m) { return {ErrorKind::kFailed, std::move(m)}; }
  static Error Unknown(std::string m) { return {ErrorKind::kUnknown, std::move(m)}; }
  static Error Unavailable(std::string m) { return {ErrorKind::kUnavailable, std::move(m)}; }
};

// Member names of std::expected, which C++20 lacks.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: converts
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: converts

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & {
    CHECK(has_value());
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK(has_value());
    return std::get<0>(state_);
  }
  T&& value() && {
    CHECK(has_value());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const {
    CHECK(!has_value());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: converts
  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const Error& error() const {
    CHECK(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace runtime
