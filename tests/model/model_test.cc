// The protocol as designed holds in every world that the usual bounds reach, and each broken rule is
// caught: what cannot fail proves nothing.
#include <gtest/gtest.h>

#include "tests/model/explorer.h"

namespace model {
namespace {

constexpr uint64_t kMost = 2000000;  // worlds

std::string TraceOf(const Findings& findings) {
  std::string text = findings.broken + "\n";
  for (const std::string& line : findings.trace) text += "  " + line + "\n";
  return text;
}

class Usual : public testing::TestWithParam<Bounds> {
 protected:
  static void TearDownTestSuite() {
    if (ran_ == UsualBounds().size()) {
      EXPECT_GE(worlds_, 1000000u);
    }
  }
  static inline uint64_t worlds_ = 0;
  static inline size_t ran_ = 0;
};

TEST_P(Usual, BoundsHoldInEveryWorld) {
  const Findings findings = Explore(Model(GetParam()), kMost);
  EXPECT_EQ(findings.broken, "") << TraceOf(findings);
  EXPECT_TRUE(findings.all) << "more than " << kMost << " worlds";
  EXPECT_GT(findings.worlds, 1000u);
  worlds_ += findings.worlds;
  ++ran_;
}

std::string NameOf(const std::string& text) {
  std::string name;
  for (char c : text) {
    if (isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Model, Usual, testing::ValuesIn(UsualBounds()),
                         [](const auto& param) { return NameOf(param.param.name); });

class Mutants : public testing::TestWithParam<int> {};

TEST_P(Mutants, IsCaught) {
  const Bounds bounds = BoundsThatCatch(static_cast<Mutant>(GetParam()));
  ASSERT_NE(bounds.name, "");
  const Findings findings = Explore(Model(bounds), kMost);
  EXPECT_NE(findings.broken, "") << "not caught in " << findings.worlds << " worlds";
  EXPECT_FALSE(findings.trace.empty());
}

INSTANTIATE_TEST_SUITE_P(Model, Mutants, testing::Range(1, static_cast<int>(Mutant::kCount)),
                         [](const auto& param) {
                           return NameOf(std::string(MutantName(static_cast<Mutant>(param.param))));
                         });

TEST(Model, TellsTheShortestWayToWhatIsBroken) {
  const Findings findings = Explore(Model(BoundsThatCatch(Mutant::kAckWhenSubmitted)), kMost);
  EXPECT_EQ(findings.broken, "I7: h exceeds what is committed");
  EXPECT_EQ(findings.trace, (std::vector<std::string>{"the sender sends stanza 1",
                                                      "the sender is told h=1"}));
}

}  // namespace
}  // namespace model
