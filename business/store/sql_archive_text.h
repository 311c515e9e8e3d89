// How an engine indexes the words of archives, and how it is asked for them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "business/store/sql_connection.h"

namespace business {

struct ArchiveText {
  // Rows with above < id <= to.
  bool (*index)(SqlConnection& connection, int64_t archive, int64_t above, int64_t to);
  // Rows with first <= id <= last, of which those up to `indexed` are indexed.
  bool (*forget)(SqlConnection& connection, int64_t first, int64_t last, int64_t indexed);
  // What the search statement is given: every word of `text`, in bodies. With the contact's address
  // where there is one, so that the index is walked only for what has both; it may find more, SQL
  // compares the address. Empty: there is nothing to look for.
  std::string (*words)(int64_t archive, std::string_view text, std::string_view contact);
};

extern const ArchiveText kSqliteArchiveText;
extern const ArchiveText kPostgresArchiveText;

inline const ArchiveText& ArchiveTextOf(const SqlConnection& connection) {
  return connection.engine() == SqlConnection::Engine::kSqlite ? kSqliteArchiveText
                                                               : kPostgresArchiveText;
}

}  // namespace business
