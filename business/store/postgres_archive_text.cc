#include <utility>
#include <vector>

#include "business/store/archive_words.h"
#include "business/store/sql_archive_text.h"
#include "business/store/text_list.h"

// A GIN index over arrays of words. Each word stands behind its archive's number, so that the index
// leads to the rows of one archive only, and a contact's address is a word of its own kind.
namespace business {
namespace {

constexpr size_t kWordsAskedFor = 16;
constexpr size_t kLongestAddress = 200;  // bytes; SQL compares the whole

// "7:word", "7@romeo@example.net": parted by U+001F as string_to_array is told.
std::string Terms(int64_t archive, std::vector<std::string> words, std::string_view contact) {
  const std::string number = std::to_string(archive);
  for (std::string& word : words) word = number + ":" + word;
  if (!contact.empty()) {
    size_t end = std::min(contact.size(), kLongestAddress);
    while (end < contact.size() && (contact[end] & 0xc0) == 0x80) --end;  // whole characters
    words.push_back(number + "@" + std::string(contact.substr(0, end)));
  }
  std::string joined = JoinTexts(words);
  joined.pop_back();
  return joined;
}

bool Index(SqlConnection& connection, int64_t archive, int64_t above, int64_t to) {
  std::vector<std::pair<int64_t, std::string>> rows;
  {
    SqlQuery row = connection
                       .Query(
                           "SELECT id, body, with_bare FROM archive_row "
                           "WHERE id > ?1 AND id <= ?2 AND body IS NOT NULL")
                       .Bind(1, above)
                       .Bind(2, to);
    while (row.Step()) {
      std::vector<std::string> words = WordsOf(row.Text(1));
      if (words.empty()) continue;
      rows.emplace_back(row.Int(0), Terms(archive, std::move(words), row.Text(2)));
    }
    if (!row.ok()) return false;
  }
  for (const auto& [id, terms] : rows) {
    if (!connection
             .Query("INSERT INTO archive_text (id, words) "
                    "VALUES (?1, string_to_array(?2, chr(31))) ON CONFLICT DO NOTHING")
             .Bind(1, id)
             .Bind(2, terms)
             .Send()) {
      return false;
    }
  }
  return true;
}

bool Forget(SqlConnection& connection, int64_t first, int64_t last, int64_t) {
  return connection.Query("DELETE FROM archive_text WHERE id >= ?1 AND id <= ?2")
      .Bind(1, first)
      .Bind(2, last)
      .Send();
}

std::string Words(int64_t archive, std::string_view text, std::string_view contact) {
  std::vector<std::string> words = WordsOf(text);
  if (words.empty()) return {};
  if (words.size() > kWordsAskedFor) words.resize(kWordsAskedFor);
  return Terms(archive, std::move(words), contact);
}

}  // namespace

const ArchiveText kPostgresArchiveText = {.index = Index, .forget = Forget, .words = Words};

}  // namespace business
