#include <algorithm>

#include "business/store/sql_archive_text.h"

namespace business {
namespace {

bool Index(SqlConnection& connection, int64_t, int64_t above, int64_t to) {
  return connection
      .Query(
          "INSERT INTO archive_text (rowid, body, with_bare) "
          "SELECT id, body, with_bare FROM archive_row "
          "WHERE id > ?1 AND id <= ?2 AND body IS NOT NULL")
      .Bind(1, above)
      .Bind(2, to)
      .Run();
}

// FTS5 keeps no copy of what it indexed and has to be told when it goes.
bool Forget(SqlConnection& connection, int64_t first, int64_t last, int64_t indexed) {
  return connection
      .Query(
          "INSERT INTO archive_text (archive_text, rowid, body, with_bare) "
          "SELECT 'delete', id, body, with_bare FROM archive_row "
          "WHERE id >= ?1 AND id <= min(?2, ?3) AND body IS NOT NULL")
      .Bind(1, first)
      .Bind(2, last)
      .Bind(3, indexed)
      .Run();
}

// A string of FTS5, so that nothing in it is an operator.
void AppendString(std::string_view text, std::string* expression) {
  *expression += '"';
  for (const char c : text) {
    if (c == '\0') continue;  // would end the expression
    if (c == '"') *expression += '"';
    *expression += c;
  }
  *expression += '"';
}

// A word that is nothing but punctuation counts for nothing.
std::string Words(int64_t, std::string_view text, std::string_view contact) {
  constexpr int kWords = 16;
  std::string expression;
  for (int words = 0; words < kWords; ++words) {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) break;
    const size_t end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    expression += words == 0 ? "body : (" : " ";
    AppendString(text.substr(begin, end - begin), &expression);
    text.remove_prefix(end);
  }
  if (expression.empty()) return expression;
  expression += ')';
  if (!contact.empty()) {
    expression += " AND with_bare : ";
    AppendString(contact, &expression);
  }
  return expression;
}

}  // namespace

const ArchiveText kSqliteArchiveText = {.index = Index, .forget = Forget, .words = Words};

}  // namespace business
