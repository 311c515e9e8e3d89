#include "lib/cluster/ticket_sealer.h"

#include <gtest/gtest.h>

namespace cluster {
namespace {

const std::string kOld(32, 'o'), kNew(40, 'n'), kNext(32, 'x');

TEST(TicketSealer, OpensWhatItSealed) {
  TicketSealer sealer({kNew});
  for (const std::string& plain :
       {std::string(), std::string("\0ticket\xff", 8), std::string(2048, 't')}) {
    std::string sealed = sealer.Seal(plain);
    EXPECT_EQ(sealer.Open(sealed), plain);
    EXPECT_EQ(sealed.size(), plain.size() + 29);
  }
}

TEST(TicketSealer, NeverSealsTwiceAlike) {
  TicketSealer sealer({kNew});
  EXPECT_NE(sealer.Seal("ticket"), sealer.Seal("ticket"));
  EXPECT_EQ(sealer.Seal("a secret JID").find("a secret JID"), std::string::npos);
}

TEST(TicketSealer, IsReadWhileItsKeyIsRotated) {
  TicketSealer before({kOld}), during({kNew, kOld}), after({kNew}), later({kNext, kNew});
  std::string old_ticket = before.Seal("old"), new_ticket = during.Seal("new");
  EXPECT_EQ(during.Open(old_ticket), "old");
  EXPECT_EQ(during.Open(new_ticket), "new");
  EXPECT_EQ(after.Open(new_ticket), "new");  // the first secret sealed it
  EXPECT_EQ(later.Open(new_ticket), "new");
  EXPECT_FALSE(before.Open(new_ticket).has_value());
  EXPECT_FALSE(after.Open(old_ticket).has_value());
}

TEST(TicketSealer, RefusesEveryAlteredByteAndEveryCut) {
  TicketSealer sealer({kNew});
  const std::string sealed = sealer.Seal("juliet@example.net/balcony");
  for (size_t i = 0; i < sealed.size(); ++i) {
    for (int bit : {0, 7}) {
      std::string altered = sealed;
      altered[i] = static_cast<char>(altered[i] ^ (1 << bit));
      EXPECT_FALSE(sealer.Open(altered).has_value()) << i;
    }
    EXPECT_FALSE(sealer.Open(sealed.substr(0, i)).has_value()) << i;
  }
  EXPECT_FALSE(sealer.Open(sealed + "x").has_value());
  EXPECT_FALSE(sealer.Open(std::string(2 << 20, '\x01')).has_value());
}

TEST(DeriveSecret, GivesEachPurposeItsOwnKey) {
  EXPECT_EQ(DeriveSecret(kNew, "a").size(), 32u);
  EXPECT_EQ(DeriveSecret(kNew, "a"), DeriveSecret(kNew, "a"));
  EXPECT_NE(DeriveSecret(kNew, "a"), DeriveSecret(kNew, "b"));
  EXPECT_NE(DeriveSecret(kNew, "a"), DeriveSecret(kOld, "a"));
}

}  // namespace
}  // namespace cluster
