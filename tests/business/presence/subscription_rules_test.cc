#include "business/presence/subscription_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace business {
namespace {

using xmpp::StanzaType;

const SubscriptionRequest kRequest{.stanza = "<presence type='subscribe'/>", .stamp = 1};

// A state of appendix A by its name there: "None", "To", "From", "Both", with "+PO", "+PI", "+POI";
// "!" in front: approved beforehand.
RosterEntry State(std::string name) {
  RosterEntry entry{.contact = xmpp::Jid::FromNormalized("c@example.org"), .item = {}, .request = {}};
  RosterItem item;
  item.approved = name.starts_with("!");
  if (item.approved) name.erase(0, 1);
  const size_t plus = name.find('+');
  const std::string pending = plus == std::string::npos ? "" : name.substr(plus);
  const std::string base = name.substr(0, plus);
  item.subscription = base == "None"   ? Subscription::kNone
                      : base == "To"   ? Subscription::kTo
                      : base == "From" ? Subscription::kFrom
                                       : Subscription::kBoth;
  item.ask = pending == "+PO" || pending == "+POI";
  if (pending == "+PI" || pending == "+POI") entry.request = kRequest;
  entry.item = item;
  return entry;
}

std::string Name(const RosterEntry& entry) {
  const RosterItem item = entry.item.value_or(RosterItem{});
  constexpr const char* kBase[] = {"None", "To", "From", "Both"};
  std::string name = item.approved ? "!" : "";
  name += kBase[static_cast<int>(item.subscription)];
  const std::string pending =
      std::string(item.ask ? "O" : "") + std::string(entry.request ? "I" : "");
  return pending.empty() ? name : name + "+P" + pending;
}

// "after route shows hides", e.g. "From route shows".
std::string Out(StanzaType type, const std::string& state) {
  const SubscriptionStep step = Outbound(type, State(state));
  return Name(step.after) + (step.route ? " route" : "") + (step.shows ? " shows" : "") +
         (step.hides ? " hides" : "");
}
std::string In(StanzaType type, const std::string& state) {
  const SubscriptionStep step = Inbound(type, State(state), kRequest);
  return Name(step.after) + (step.deliver ? " deliver" : "") + (step.reply ? " reply" : "") +
         (step.shows ? " shows" : "") + (step.hides ? " hides" : "");
}

TEST(SubscriptionRules, OutboundSubscribeAsA21) {
  const auto out = [](const char* state) { return Out(StanzaType::kSubscribe, state); };
  EXPECT_EQ(out("None"), "None+PO route");
  EXPECT_EQ(out("None+PO"), "None+PO route");
  EXPECT_EQ(out("None+PI"), "None+POI route");
  EXPECT_EQ(out("None+POI"), "None+POI route");
  EXPECT_EQ(out("To"), "To route");
  EXPECT_EQ(out("To+PI"), "To+PI route");
  EXPECT_EQ(out("From"), "From+PO route");
  EXPECT_EQ(out("From+PO"), "From+PO route");
  EXPECT_EQ(out("Both"), "Both route");
}

TEST(SubscriptionRules, OutboundUnsubscribeAsA22) {
  const auto out = [](const char* state) { return Out(StanzaType::kUnsubscribe, state); };
  EXPECT_EQ(out("None"), "None route");
  EXPECT_EQ(out("None+PO"), "None route");
  EXPECT_EQ(out("None+PI"), "None+PI route");
  EXPECT_EQ(out("None+POI"), "None+PI route");
  EXPECT_EQ(out("To"), "None route");
  EXPECT_EQ(out("To+PI"), "None+PI route");
  EXPECT_EQ(out("From"), "From route");
  EXPECT_EQ(out("From+PO"), "From route");
  EXPECT_EQ(out("Both"), "From route");
}

TEST(SubscriptionRules, OutboundSubscribedAsA23AndBeforehandAs34) {
  const auto out = [](const char* state) { return Out(StanzaType::kSubscribed, state); };
  EXPECT_EQ(out("None"), "!None");
  EXPECT_EQ(out("None+PO"), "!None+PO");
  EXPECT_EQ(out("None+PI"), "From route shows");
  EXPECT_EQ(out("None+POI"), "From+PO route shows");
  EXPECT_EQ(out("To"), "!To");
  EXPECT_EQ(out("To+PI"), "Both route shows");
  EXPECT_EQ(out("From"), "From");
  EXPECT_EQ(out("From+PO"), "From+PO");
  EXPECT_EQ(out("Both"), "Both");
}

TEST(SubscriptionRules, OutboundUnsubscribedAsA24) {
  const auto out = [](const char* state) { return Out(StanzaType::kUnsubscribed, state); };
  EXPECT_EQ(out("None"), "None");
  EXPECT_EQ(out("!None"), "None");
  EXPECT_EQ(out("None+PO"), "None+PO");
  EXPECT_EQ(out("None+PI"), "None route");
  EXPECT_EQ(out("None+POI"), "None+PO route");
  EXPECT_EQ(out("To"), "To");
  EXPECT_EQ(out("To+PI"), "To route");
  EXPECT_EQ(out("From"), "None route hides");
  EXPECT_EQ(out("From+PO"), "None+PO route hides");
  EXPECT_EQ(out("!Both"), "To route hides");
}

TEST(SubscriptionRules, InboundSubscribeAsA31) {
  const auto in = [](const char* state) { return In(StanzaType::kSubscribe, state); };
  EXPECT_EQ(in("None"), "None+PI deliver");
  EXPECT_EQ(in("None+PO"), "None+POI deliver");
  EXPECT_EQ(in("None+PI"), "None+PI");
  EXPECT_EQ(in("None+POI"), "None+POI");
  EXPECT_EQ(in("To"), "To+PI deliver");
  EXPECT_EQ(in("To+PI"), "To+PI");
  EXPECT_EQ(in("From"), "From reply");
  EXPECT_EQ(in("From+PO"), "From+PO reply");
  EXPECT_EQ(in("Both"), "Both reply");
  EXPECT_EQ(in("!None"), "!From reply shows");
  EXPECT_EQ(in("!None+PO"), "!From+PO reply shows");
  EXPECT_EQ(in("!To"), "!Both reply shows");
}

TEST(SubscriptionRules, ARequestOfAStrangerMakesNoItem) {
  const RosterEntry stranger{.contact = xmpp::Jid::FromNormalized("c@example.org"), .item = {},
                             .request = {}};
  const SubscriptionStep asked = Inbound(StanzaType::kSubscribe, stranger, kRequest);
  EXPECT_FALSE(asked.after.item.has_value());
  EXPECT_EQ(asked.after.request, kRequest);
  for (StanzaType type : {StanzaType::kSubscribed, StanzaType::kUnsubscribed}) {
    EXPECT_EQ(Inbound(type, stranger, kRequest).after, stranger);
  }
  EXPECT_EQ(Outbound(StanzaType::kUnsubscribe, stranger).after, stranger);
  EXPECT_EQ(Outbound(StanzaType::kUnsubscribed, stranger).after, stranger);
  EXPECT_FALSE(Outbound(StanzaType::kUnsubscribed, asked.after).after.item.has_value());
}

TEST(SubscriptionRules, InboundUnsubscribeAsA32) {
  const auto in = [](const char* state) { return In(StanzaType::kUnsubscribe, state); };
  EXPECT_EQ(in("None"), "None");
  EXPECT_EQ(in("None+PO"), "None+PO");
  EXPECT_EQ(in("None+PI"), "None deliver");
  EXPECT_EQ(in("None+POI"), "None+PO deliver");
  EXPECT_EQ(in("To"), "To");
  EXPECT_EQ(in("To+PI"), "To deliver");
  EXPECT_EQ(in("From"), "None deliver hides");
  EXPECT_EQ(in("From+PO"), "None+PO deliver hides");
  EXPECT_EQ(in("Both"), "To deliver hides");
}

TEST(SubscriptionRules, InboundSubscribedAsA33) {
  const auto in = [](const char* state) { return In(StanzaType::kSubscribed, state); };
  EXPECT_EQ(in("None"), "None");
  EXPECT_EQ(in("None+PO"), "To deliver");
  EXPECT_EQ(in("None+PI"), "None+PI");
  EXPECT_EQ(in("None+POI"), "To+PI deliver");
  EXPECT_EQ(in("To"), "To");
  EXPECT_EQ(in("To+PI"), "To+PI");
  EXPECT_EQ(in("From"), "From");
  EXPECT_EQ(in("From+PO"), "Both deliver");
  EXPECT_EQ(in("Both"), "Both");
}

TEST(SubscriptionRules, InboundUnsubscribedAsA34) {
  const auto in = [](const char* state) { return In(StanzaType::kUnsubscribed, state); };
  EXPECT_EQ(in("None"), "None");
  EXPECT_EQ(in("None+PO"), "None deliver");
  EXPECT_EQ(in("None+PI"), "None+PI");
  EXPECT_EQ(in("None+POI"), "None+PI deliver");
  EXPECT_EQ(in("To"), "None deliver");
  EXPECT_EQ(in("To+PI"), "None+PI deliver");
  EXPECT_EQ(in("From"), "From");
  EXPECT_EQ(in("From+PO"), "From deliver");
  EXPECT_EQ(in("Both"), "From deliver");
}

TEST(SubscriptionRules, RemovalEndsWhatThereWas) {
  const auto removal = [](const char* state) {
    const Removal r = Remove(State(state));
    EXPECT_FALSE(r.after.item || r.after.request);
    return std::string(r.unsubscribe ? "unsubscribe " : "") +
           (r.unsubscribed ? "unsubscribed " : "") + (r.hides ? "hides" : "");
  };
  EXPECT_EQ(removal("None"), "");
  EXPECT_EQ(removal("None+PO"), "unsubscribe ");
  EXPECT_EQ(removal("None+PI"), "unsubscribed ");
  EXPECT_EQ(removal("To"), "unsubscribe ");
  EXPECT_EQ(removal("From"), "unsubscribed hides");
  EXPECT_EQ(removal("Both"), "unsubscribe unsubscribed hides");
}

}  // namespace
}  // namespace business
