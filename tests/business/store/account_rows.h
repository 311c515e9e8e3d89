// Work on the one table that needs nothing else, for tests of the engines themselves.
#pragma once

#include <cstdint>
#include <string>

#include "business/store/store_operation.h"

namespace business {

inline StoreWork<int> Put(int number) {
  return [number](SqlConnection& connection) -> runtime::Result<int> {
    if (!connection.Query("INSERT INTO account VALUES (?1, 'd', 0, 0, 0)")
             .Bind(1, "u" + std::to_string(number))
             .Run()) {
      return connection.LastError();
    }
    return number;
  };
}

inline StoreWork<int64_t> Count() {
  return [](SqlConnection& connection) -> runtime::Result<int64_t> {
    SqlQuery row = connection.Query("SELECT count(*) FROM account");
    if (!row.Step()) return connection.LastError();
    return row.Int(0);
  };
}

}  // namespace business
