#include "business/routing/feature_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace business {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using xmpp::StanzaKind;

Task<IqReply> Nothing(Iq) { co_return IqReply::Result(); }

Feature Named(std::string_view name) {
  Feature feature;
  feature.name = name;
  return feature;
}

StageHandler Says(Stage stage, uint8_t kinds, std::string* log, std::string word,
                  StageVerdict verdict = Continue{}) {
  return {.stage = stage,
          .kinds = kinds,
          .now =
              [=](StageEvent&) {
                *log += word + " ";
                return verdict;
              },
          .later = nullptr};
}

Task<StageVerdict> Late(std::string* log, std::string word) {
  *log += word + " ";
  co_return Continue{};
}

TEST(FeatureSet, ChecksNothingWhereNothingIsWrong) {
  Feature ping = Named("ping"), disco = Named("disco");
  ping.needs = {"disco"};
  ping.iqs = {{IqType::kGet, "urn:xmpp:ping", "ping", Addressee::kServer, Nothing},
              {IqType::kSet, "urn:xmpp:ping", "ping", Addressee::kServer, Nothing},
              {IqType::kGet, "urn:xmpp:ping", "ping", Addressee::kOwnAccount, Nothing}};
  std::vector<Feature> features{ping, disco};
  EXPECT_THAT(FeatureSet(std::move(features)).Check(), ElementsAre());
}

TEST(FeatureSet, NamesBothThatClaimOneRoute) {
  Feature one = Named("one"), two = Named("two");
  one.iqs = {{IqType::kGet, "urn:example", "query", Addressee::kServer, Nothing}};
  two.iqs = one.iqs;
  EXPECT_THAT(FeatureSet({one, two}).Check(),
              ElementsAre(testing::AllOf(HasSubstr("\"one\""), HasSubstr("\"two\""),
                                         HasSubstr("iq get {urn:example}query"))));
}

TEST(FeatureSet, NamesAnUnmetNeedAndADoubledName) {
  Feature one = Named("one"), again = Named("one");
  one.needs = {"roster"};
  EXPECT_THAT(FeatureSet({one, again}).Check(),
              ElementsAre(HasSubstr("two features are named \"one\""),
                          testing::AllOf(HasSubstr("\"one\""), HasSubstr("\"roster\""))));
}

TEST(FeatureSet, RefusesHandlersThatCannotRun) {
  std::string log;
  Feature none = Named("none"), late = Named("late");
  none.stages.push_back({.stage = Stage::kToAccount, .kinds = kMessages, .now = {}, .later = {}});
  late.stages.push_back(
      {.stage = Stage::kToResource, .kinds = kMessages, .now = {}, .later = [&log](StageEvent&) {
         return Late(&log, "late");
       }});
  EXPECT_THAT(FeatureSet({none, late}).Check(),
              ElementsAre(HasSubstr("\"none\""), HasSubstr("\"late\"")));
}

TEST(FeatureSet, FindsARouteByAllItsParts) {
  Feature ping = Named("ping");
  ping.iqs = {{IqType::kGet, "urn:xmpp:ping", "ping", Addressee::kServer, Nothing}};
  const FeatureSet set({ping});
  EXPECT_NE(set.FindIq(IqType::kGet, "urn:xmpp:ping", "ping", Addressee::kServer), nullptr);
  EXPECT_EQ(set.FindIq(IqType::kSet, "urn:xmpp:ping", "ping", Addressee::kServer), nullptr);
  EXPECT_EQ(set.FindIq(IqType::kGet, "urn:xmpp:pong", "ping", Addressee::kServer), nullptr);
  EXPECT_EQ(set.FindIq(IqType::kGet, "urn:xmpp:ping", "pong", Addressee::kServer), nullptr);
  EXPECT_EQ(set.FindIq(IqType::kGet, "urn:xmpp:ping", "ping", Addressee::kAccount), nullptr);
}

TEST(FeatureSet, RunsAStageInTheOrderOfTheList) {
  std::string log;
  Feature one = Named("one"), two = Named("two"), three = Named("three");
  one.stages.push_back(Says(Stage::kToAccount, kMessages, &log, "one"));
  one.stages.push_back(Says(Stage::kToAccount, kPresences, &log, "presence"));
  two.stages.push_back(
      {.stage = Stage::kToAccount, .kinds = kMessages, .now = {}, .later = [&log](StageEvent&) {
         return Late(&log, "two");
       }});
  three.stages.push_back(Says(Stage::kToAccount, kMessages | kPresences, &log, "three"));
  const FeatureSet set({one, two, three});
  StageEvent event;
  bool done = false;
  set.RunStage(Stage::kToAccount, StanzaKind::kMessage, event, [&](StageVerdict verdict) {
    EXPECT_TRUE(std::holds_alternative<Continue>(verdict));
    done = true;
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(log, "one two three ");
  EXPECT_TRUE(set.HasStage(Stage::kToAccount, StanzaKind::kPresence));
  EXPECT_FALSE(set.HasStage(Stage::kToAccount, StanzaKind::kIq));
  EXPECT_FALSE(set.HasStage(Stage::kFromClient, StanzaKind::kMessage));
}

TEST(FeatureSet, GoesOnWhenWhoAnswersSoonHasAnswered) {
  std::string log;
  std::vector<StageDone> waiting;
  const auto soon = [&waiting, &log](const char* word) {
    return StageHandler{.stage = Stage::kToAccount,
                        .kinds = kMessages,
                        .soon = [&waiting, &log, word](StageEvent&, StageDone done) {
                          log.append(word).append(" ");
                          waiting.push_back(std::move(done));
                        }};
  };
  Feature one = Named("one"), two = Named("two"), three = Named("three");
  one.stages.push_back(soon("one"));
  two.stages.push_back({.stage = Stage::kToAccount,
                        .kinds = kMessages,
                        .later = [&log](StageEvent&) { return Late(&log, "two"); }});
  three.stages.push_back(soon("three"));
  const FeatureSet set({one, two, three});
  StageEvent event;
  std::vector<StageVerdict> verdicts;
  const auto run = [&] {
    set.RunStage(Stage::kToAccount, StanzaKind::kMessage, event,
                 [&](StageVerdict verdict) { verdicts.push_back(std::move(verdict)); });
  };
  const auto answer = [&](StageVerdict verdict) {
    StageDone done = std::move(waiting.back());
    waiting.pop_back();
    done(std::move(verdict));
  };
  run();
  EXPECT_EQ(log, "one ");
  answer(Continue{});
  EXPECT_EQ(log, "one two three ");
  EXPECT_TRUE(verdicts.empty());
  answer(Handled{});
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Handled>(verdicts[0]));

  run();
  answer(xmpp::StanzaError::Forbidden());
  EXPECT_EQ(log, "one two three one ");  // nobody behind it hears of it
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(std::get<xmpp::StanzaError>(verdicts[1]).condition, "forbidden");
}

TEST(FeatureSet, StopsAStageAtTheFirstThatDoesNotContinue) {
  std::string log;
  Feature one = Named("one"), two = Named("two");
  one.stages.push_back(
      Says(Stage::kToResource, kMessages, &log, "one", xmpp::StanzaError::Forbidden()));
  two.stages.push_back(Says(Stage::kToResource, kMessages, &log, "two"));
  const FeatureSet set({one, two});
  StageEvent event;
  const StageVerdict verdict = set.RunStageNow(Stage::kToResource, StanzaKind::kMessage, event);
  ASSERT_TRUE(std::holds_alternative<xmpp::StanzaError>(verdict));
  EXPECT_EQ(std::get<xmpp::StanzaError>(verdict).condition, "forbidden");
  EXPECT_EQ(log, "one ");
}

TEST(FeatureSet, TurnsAnExceptionIntoAnError) {
  Feature one = Named("one");
  one.stages.push_back({.stage = Stage::kToAccount,
                        .kinds = kMessages,
                        .now = [](StageEvent&) -> StageVerdict { throw std::runtime_error("x"); },
                        .later = {}});
  const FeatureSet set({one});
  StageEvent event;
  const StageVerdict verdict = set.RunStageNow(Stage::kToAccount, StanzaKind::kMessage, event);
  ASSERT_TRUE(std::holds_alternative<xmpp::StanzaError>(verdict));
  EXPECT_EQ(std::get<xmpp::StanzaError>(verdict).condition, "internal-server-error");
}

}  // namespace
}  // namespace business
