#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/xmpp/sasl/offer.h"

namespace xmpp::sasl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ChannelBindings kBoth{.tls_exporter = "e", .tls_server_end_point = "s"};

TEST(Offer, PrefersBindingThenTheLongerHashAndPlainLast) {
  const Offer offer = MakeOffer(true, kBoth, {});
  EXPECT_THAT(offer.mechanisms,
              ElementsAre("SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS",
                          "SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"));
  EXPECT_THAT(offer.channel_bindings, ElementsAre("tls-exporter", "tls-server-end-point"));
}

TEST(Offer, WithoutTlsHasNeitherPlainNorBinding) {
  const Offer offer = MakeOffer(false, kBoth, {});
  EXPECT_THAT(offer.mechanisms, ElementsAre("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"));
  EXPECT_THAT(offer.channel_bindings, IsEmpty());
}

TEST(Offer, NamesOnlyBindingsThatAreToBeHad) {
  EXPECT_THAT(MakeOffer(true, {.tls_server_end_point = "s"}, {}).channel_bindings,
              ElementsAre("tls-server-end-point"));
  const Offer none = MakeOffer(true, {}, {});
  EXPECT_THAT(none.mechanisms,
              ElementsAre("SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"));
  EXPECT_THAT(none.channel_bindings, IsEmpty());
}

TEST(Offer, HoldsOnlyWhatIsEnabled) {
  const Offer offer = MakeOffer(true, kBoth, {"PLAIN", "SCRAM-SHA-256", "EXTERNAL"});
  EXPECT_THAT(offer.mechanisms, ElementsAre("SCRAM-SHA-256", "PLAIN"));
  EXPECT_THAT(offer.channel_bindings, IsEmpty());
}

// XEP-0474 0.5 §5.3: the example's hash.
TEST(Offer, HashesItsListsLikeTheExample) {
  const Offer offer{.mechanisms = {"SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"},
                    .channel_bindings = {"tls-server-end-point", "tls-exporter"}};
  EXPECT_EQ(OfferHash(Hash::kSha1, offer), "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
}

TEST(Offer, HashesAListWithoutBindings) {
  const Offer offer{.mechanisms = {"SCRAM-SHA-256", "PLAIN"}};
  EXPECT_EQ(OfferHash(Hash::kSha256, offer),
            OfferHash(Hash::kSha256, {.mechanisms = {"PLAIN", "SCRAM-SHA-256"}}));
  EXPECT_NE(OfferHash(Hash::kSha256, offer),
            OfferHash(Hash::kSha256, {.mechanisms = {"SCRAM-SHA-256"}}));
}

}  // namespace
}  // namespace xmpp::sasl
