// Accounts that strangers make, and that their owners change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "business/features/invitations.h"
#include "business/features/registrar.h"
#include "tests/business/features/feature_world.h"

namespace business {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using xmpp::StanzaType;

constexpr char kJuliet[] = "juliet@example.org";
constexpr char kRomeo[] = "romeo@example.org";

class RegistrarTest : public testing::Test {
 protected:
  void Make(bool open, uint32_t per_address = 3) {
    ServiceOptions options;
    options.registration.open = open;
    options.registration.per_address = per_address;
    world_.redis.Run([&] {
      registrar_ = std::make_unique<Registrar>(&world_.shard, &world_.workers, options);
      invitations_ = std::make_unique<Invitations>(&world_.shard, options.invitations);
    });
  }
  std::string Say(const std::string& type, const std::string& payload) {
    auto answer = world_.redis.Wait([&]() -> Task<runtime::Result<std::string>> {
      return [](Registrar* registrar, std::shared_ptr<Stranger> stranger,
                std::string iq) -> Task<runtime::Result<std::string>> {
        std::string text = co_await registrar->Answer(std::move(stranger), std::move(iq));
        co_return text;
      }(registrar_.get(), stranger_, "<iq type='" + type + "' id='r1'>" + payload + "</iq>");
    });
    return *answer;
  }
  std::string Register(const std::string& name, const std::string& password = "secret") {
    return Say("set", "<query xmlns='jabber:iq:register'><username>" + name +
                          "</username><password>" + password + "</password></query>");
  }
  std::string Show(const std::string& token) {
    return Say("set", "<preauth xmlns='urn:xmpp:pars:0' token='" + token + "'/>");
  }
  std::string Invite(bool contact, const std::string& username = "") {
    Invitation invitation;
    invitation.inviter = xmpp::BareJid::FromNormalized(kJuliet);
    invitation.domain = "example.org";
    invitation.contact = contact;
    invitation.username = username;
    auto token = world_.redis.Wait([&] { return invitations_->Make(&invitation); });
    EXPECT_TRUE(token && *token);
    return **token;
  }
  bool Exists(const std::string& jid) {
    auto found = world_.redis.Wait(
        [&] { return world_.stores->accounts->Find(xmpp::BareJid::FromNormalized(jid)); });
    return found && *found;
  }

  runtime::RedisServer server_;
  FeatureLoop world_{server_.address()};
  std::unique_ptr<Registrar> registrar_;
  std::unique_ptr<Invitations> invitations_;
  std::shared_ptr<Stranger> stranger_ = std::make_shared<Stranger>(
      Stranger{.domain = "example.org", .peer_address = "192.0.2.1:5000", .tls = true});
};

TEST_F(RegistrarTest, IsClosedUnlessItWasOpened) {
  Make(false);
  EXPECT_THAT(Register("tybalt"), HasSubstr("<not-allowed"));
  EXPECT_FALSE(Exists("tybalt@example.org"));
  EXPECT_THAT(registrar_->Features(*stranger_),
              AllOf(HasSubstr("urn:xmpp:ibr-token:0"), Not(HasSubstr("iq-register"))));
}

TEST_F(RegistrarTest, MakesAccountsWhenItIsOpen) {
  Make(true);
  EXPECT_THAT(registrar_->Features(*stranger_),
              HasSubstr("http://jabber.org/features/iq-register"));
  EXPECT_THAT(Say("get", "<query xmlns='jabber:iq:register'/>"),
              AllOf(HasSubstr("<username/>"), HasSubstr("<password/>")));
  EXPECT_EQ(Register("Tybalt"), "<iq from='example.org' type='result' id='r1'/>");
  EXPECT_TRUE(Exists("tybalt@example.org"));
  EXPECT_THAT(Register("romeo"), HasSubstr("<conflict"));
  EXPECT_THAT(Register("", "x"), HasSubstr("<not-acceptable"));
  EXPECT_THAT(Register("x", ""), HasSubstr("<not-acceptable"));
}

TEST_F(RegistrarTest, TheSameRequestAgainIsNoConflict) {
  Make(true);
  Register("tybalt");
  EXPECT_THAT(Register("tybalt"), HasSubstr("type='result'"));
  EXPECT_THAT(Register("tybalt", "another"), HasSubstr("<conflict"));
}

TEST_F(RegistrarTest, OneAddressMakesFewAccounts) {
  Make(true, 2);
  EXPECT_THAT(Register("a1"), HasSubstr("type='result'"));
  EXPECT_THAT(Register("a2"), HasSubstr("type='result'"));
  EXPECT_THAT(Register("a3"), HasSubstr("<resource-constraint"));
  stranger_->peer_address = "192.0.2.2:5000";
  EXPECT_THAT(Register("a3"), HasSubstr("type='result'"));
}

TEST_F(RegistrarTest, IsNotForStreamsInTheClearNorForThoseWhoAskTooMuch) {
  Make(true);
  stranger_->tls = false;
  EXPECT_THAT(registrar_->Features(*stranger_), IsEmpty());
  EXPECT_THAT(Register("tybalt"), HasSubstr("<not-allowed"));
  stranger_->tls = true;
  stranger_->asked = Registrar::kMostIqs;
  EXPECT_EQ(Register("tybalt"), "");
}

TEST_F(RegistrarTest, AnInvitationOpensItOnce) {
  Make(false);
  const std::string token = Invite(false);
  EXPECT_THAT(Show("made-up"), HasSubstr("<item-not-found"));
  EXPECT_THAT(Show(token.substr(1) + "a"), HasSubstr("<item-not-found"));
  EXPECT_THAT(Show(token), HasSubstr("type='result'"));
  EXPECT_THAT(Register("romeo"), HasSubstr("<conflict"));  // and is not used up by that
  EXPECT_THAT(Register("tybalt"), HasSubstr("type='result'"));
  EXPECT_THAT(Register("mercutio"), HasSubstr("<not-allowed"));
  EXPECT_THAT(Show(token), HasSubstr("<item-not-found"));
}

TEST_F(RegistrarTest, AnInvitationMayNameTheAccount) {
  Make(false);
  Show(Invite(false, "tybalt"));
  EXPECT_THAT(Register("mercutio"), HasSubstr("<not-acceptable"));
  EXPECT_THAT(Register("tybalt"), HasSubstr("type='result'"));
}

TEST_F(RegistrarTest, WhoIsInvitedAsAContactIsOne) {
  Make(false);
  Show(Invite(true));
  EXPECT_THAT(Register("tybalt"), HasSubstr("type='result'"));
  EXPECT_EQ(world_.Entry(kJuliet, "tybalt@example.org").item->subscription, Subscription::kBoth);
  EXPECT_EQ(world_.Entry("tybalt@example.org", kJuliet).item->subscription, Subscription::kBoth);
}

TEST_F(RegistrarTest, OwnersChangeTheirPasswordAndRemoveTheirAccount) {
  const SessionPtr juliet = world_.Bind(kJuliet, "balcony");
  const SessionPtr romeo = world_.Bind(kRomeo, "garden");
  const auto set = [&](const SessionPtr& who, const std::string& inner) {
    return world_.Ask(who, StanzaType::kSet, "example.org",
                      "<query xmlns='jabber:iq:register'>" + inner + "</query>");
  };
  EXPECT_THAT(
      world_.Ask(juliet, StanzaType::kGet, "", "<query xmlns='jabber:iq:register'/>"),
      Contains(AllOf(HasSubstr("<registered/>"), HasSubstr("<username>juliet</username>"))));
  EXPECT_THAT(set(juliet, "<username>romeo</username><password>x</password>"),
              Contains(HasSubstr("<not-allowed")));
  EXPECT_THAT(set(juliet, "<password>x</password>"), Contains(HasSubstr("<bad-request")));
  const auto changed = [&] {
    auto found = world_.redis.Wait(
        [&] { return world_.stores->accounts->Find(xmpp::BareJid::FromNormalized(kJuliet)); });
    return (*found)->keys[0].stored_key;
  };
  const std::string before = changed();
  EXPECT_THAT(set(juliet, "<username>juliet</username><password>moon</password>"),
              Contains(HasSubstr("type='result'")));
  EXPECT_NE(changed(), before);
  EXPECT_THAT(set(romeo, "<remove/><username>romeo</username>"),
              Contains(HasSubstr("<bad-request")));
  EXPECT_THAT(set(romeo, "<remove/>"), Contains(HasSubstr("type='result'")));
  EXPECT_FALSE(Exists(kRomeo));
  EXPECT_TRUE(runtime::Eventually([&] { return world_.Rows(kRomeo).empty(); }));
}

}  // namespace
}  // namespace business
