// The manual that operators read: `--describe-config` of every program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "lib/runtime/config.h"
#include "proto/config/admin.pb.h"
#include "proto/config/business.pb.h"
#include "proto/config/connmgr.pb.h"

namespace runtime {
namespace {

using testing::IsEmpty;

// "| `key` | type | default | bounds | takes effect | meaning |": the meaning, without what the
// manual adds by itself.
std::string Meaning(const std::string& row) {
  size_t at = 0;
  for (int column = 0; column < 5; ++column) {
    at = row.find(" | ", at);
    if (at == std::string::npos) return {};
    at += 3;
  }
  std::string meaning = row.substr(at);
  for (const char* added : {"Required.", "Or `", "|"}) {
    const size_t begin = meaning.find_first_not_of(' ');
    if (begin == std::string::npos || meaning.compare(begin, strlen(added), added) == 0) return {};
  }
  return meaning;
}

// Keys, by section, of which the manual says nothing.
std::vector<std::string> WithoutAWord(const google::protobuf::Message& config, size_t* keys) {
  std::istringstream manual(DescribeConfig(config));
  std::vector<std::string> found;
  std::string section;
  for (std::string line; std::getline(manual, line);) {
    if (line.rfind("## ", 0) == 0) section = line.substr(3);
    if (line.rfind("| `", 0) != 0) continue;
    ++*keys;
    if (Meaning(line).empty()) found.push_back(section + ": " + line);
  }
  return found;
}

TEST(Manual, HasAWordOnEveryKey) {
  size_t keys = 0;
  EXPECT_THAT(WithoutAWord(xylem::config::Business(), &keys), IsEmpty());
  EXPECT_GT(keys, 60u);
  EXPECT_THAT(WithoutAWord(xylem::config::Connmgr(), &keys), IsEmpty());
  EXPECT_THAT(WithoutAWord(xylem::config::Xylemctl(), &keys), IsEmpty());
  EXPECT_GT(keys, 110u);
}

}  // namespace
}  // namespace runtime
