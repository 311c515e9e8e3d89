// XEP-0191: Blocking Command 1.3. An account names whom it wants neither to hear of nor to be seen
// by; to those it is as if it were offline.
#include "business/features/blocking.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "business/features/block_lists.h"
#include "business/features/spam_report.h"
#include "business/features/store_trouble.h"
#include "business/presence/presence_audience.h"
#include "business/presence/subscriptions.h"
#include "business/routing/server_stanza.h"
#include "business/session/session.h"
#include "business/session/session_flags.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using xmpp::Element;
using xmpp::StanzaError;
using xmpp::StanzaType;
using ListsPtr = std::shared_ptr<BlockLists>;

constexpr uint32_t kMaxBlocked = 1000;

xmpp::BareJid AccountOf(const Iq& iq) { return *xmpp::BareJid::From(iq.from); }

// §3.3, what the account itself sends to somebody it has blocked.
StanzaError ByOneself() {
  StanzaError error = StanzaError::NotAcceptable();
  error.type = xmpp::ErrorType::kCancel;
  error.app_condition = "<blocked xmlns='" + std::string(ns::kBlockingErrors) + "'/>";
  return error;
}

// ---- what is kept away ----

bool IsSubscription(const xmpp::Stanza& stanza) {
  return stanza.kind == xmpp::StanzaKind::kPresence && stanza.type >= StanzaType::kSubscribe &&
         stanza.type <= StanzaType::kUnsubscribed;
}

// What somebody who is blocked has sent.
StageVerdict ByOther(const xmpp::Stanza& stanza) {
  if (stanza.kind == xmpp::StanzaKind::kPresence) return Handled{};
  return StanzaError::ServiceUnavailable();
}

StageVerdict Judge(const StageEvent& event, const Result<BlockLists::ListPtr>& senders,
                   const Result<BlockLists::ListPtr>& recipients) {
  if (!senders || !recipients) return StanzaError::ResourceConstraint();
  if (*senders != nullptr && (*senders)->Blocks(*event.to)) return ByOneself();
  const bool blocked = *recipients != nullptr && (*recipients)->Blocks(*event.from);
  // Handshakes go on silently, so that the rosters stay what they say (SubscriptionEffects).
  if (blocked && !IsSubscription(*event.stanza)) return ByOther(*event.stanza);
  return Continue{};
}

void FromClient(BlockLists* lists, StageEvent* event, StageDone done) {
  if (event->to == nullptr || event->from->BareView() == event->to->BareView()) {
    return done(Continue{});
  }
  auto sender = xmpp::BareJid::From(*event->from);
  auto recipient = xmpp::BareJid::From(*event->to);
  if (!sender || !recipient) return done(Continue{});
  lists->OfTwo(
      *std::move(sender), *std::move(recipient),
      [event, done = std::move(done)](const auto& senders, const auto& recipients) mutable {
        done(Judge(*event, senders, recipients));
      });
}

Task<StageVerdict> FromOutside(ListsPtr lists, StageEvent& event) {
  const xmpp::Jid from = *event.from;
  const auto recipient = xmpp::BareJid::From(*event.to);
  if (!recipient) co_return Continue{};
  const auto list = co_await lists->Of(*recipient);
  if (!list) co_return StanzaError::ResourceConstraint();
  if (*list != nullptr && (*list)->Blocks(from)) co_return ByOther(*event.stanza);
  co_return Continue{};
}

// ---- the list ----

Task<IqReply> GetList(Shard* shard, Iq iq) {
  // Before it is read: a change that is not in what is read then is pushed.
  if (iq.session) {
    const bool told = co_await ChangeSessionFlags(iq.session, cluster::kSessionBlockList, 0);
    if (!told) co_return StanzaError::ResourceConstraint();
  }
  Result<DataCollection> stored =
      co_await shard->stores->account_data->List(AccountOf(iq), DataType::kBlockList);
  if (!stored) co_return StoreTrouble(stored.error());
  Element answer("blocklist", ns::kBlocking);
  for (const DataEntry& entry : stored->entries) {
    answer.Add("item", ns::kBlocking).SetAttr("jid", entry.key);
  }
  co_return IqReply::Result(std::move(answer));
}

struct Item {
  std::string jid;
  std::optional<SpamReport> report;
};

std::variant<std::vector<Item>, StanzaError> ReadItems(const Element& command) {
  std::vector<Item> items;
  for (const Element* element : command.Elements()) {
    if (!element->Is("item", ns::kBlocking)) continue;
    const auto jid = xmpp::Jid::Parse(element->Attr("jid"));
    if (!jid) return StanzaError::JidMalformed();
    Item item{.jid = jid->ToString(), .report = ReadReport(*element)};
    if (item.report && item.report->xml.size() > kMaxReport) {
      return StanzaError::PolicyViolation("the report is too big");
    }
    items.push_back(std::move(item));
  }
  return items;
}

ServerStanza Push(const Iq& iq, std::string_view command, const std::vector<Item>& items) {
  Element element{std::string(command), ns::kBlocking};
  for (const Item& item : items) element.Add("item", ns::kBlocking).SetAttr("jid", item.jid);
  ServerStanza push;
  push.kind = xmpp::StanzaKind::kIq;
  push.type = StanzaType::kSet;
  push.to = AccountOf(iq);
  push.to_resources = true;
  push.bytes = "<iq type='set'";
  xmpp::AppendAttribute(&push.bytes, "id", "block-" + cluster::ClusterIdText(iq.cluster_id));
  push.bytes.append(">").append(element.Write()).append("</iq>");
  push.id = iq.cluster_id;
  push.index = kEffectBlockPush;
  push.choose = [](const std::vector<cluster::SessionRecord>& rows) {
    Recipients chosen;
    for (uint32_t i = 0; i < rows.size(); ++i) {
      if ((rows[i].flags & cluster::kSessionBlockList) != 0) chosen.rows.push_back(i);
    }
    return chosen;
  };
  return push;
}

// What contacts see of a change, and the account of them.
Task<Result<void>> Introduce(Shard* shard, Iq iq, BlockList before, BlockList after,
                             SubscriptionEffects* effects) {
  const xmpp::BareJid account = AccountOf(iq);
  const Result<RosterPtr> roster = co_await shard->rosters->RosterOf(account);
  if (!roster) co_return roster.error();
  for (const RosterEntry& entry : (*roster)->entries) {
    const auto contact = xmpp::BareJid::From(entry.contact);
    if (!entry.item || !contact || entry.contact.HasResource() || *contact == account) continue;
    if (!shard->Serves(contact->domain())) continue;
    const bool was = before.Blocks(*contact), is = after.Blocks(*contact);
    if (was == is) continue;
    const RosterItem item = *entry.item;
    if (is) {
      if (HasFrom(item))
        effects->introductions.push_back({account, *contact, false, iq.cluster_id});
      continue;
    }
    const bool may = co_await MayHear(shard, *contact, account);
    if (!may) continue;
    if (HasFrom(item)) effects->introductions.push_back({account, *contact, true, iq.cluster_id});
    if (HasTo(item)) effects->introductions.push_back({*contact, account, true, iq.cluster_id});
  }
  co_return Result<void>();
}

// The lists before and after, as if the command had not been carried out before: what follows from
// it may have been lost with another server.
struct Lists {
  std::vector<std::string> before, after;
};

Lists ListsOf(const DataCollection& stored, const std::vector<Item>& items, bool block) {
  Lists lists;
  for (const DataEntry& entry : stored.entries) {
    const bool named = std::any_of(items.begin(), items.end(),
                                   [&](const Item& item) { return item.jid == entry.key; });
    if (named) continue;
    lists.before.push_back(entry.key);
    lists.after.push_back(entry.key);
  }
  for (const Item& item : items) (block ? lists.after : lists.before).push_back(item.jid);
  return lists;
}

Task<IqReply> Change(Shard* shard, Iq iq, bool block) {
  auto read = ReadItems(iq.Payload());
  if (auto* error = std::get_if<StanzaError>(&read)) co_return std::move(*error);
  const std::vector<Item> items = std::move(std::get<0>(read));
  if (block && items.empty()) co_return StanzaError::BadRequest();
  const xmpp::BareJid account = AccountOf(iq);
  AccountDataStore& store = *shard->stores->account_data;
  Result<DataCollection> stored = co_await store.List(account, DataType::kBlockList);
  if (!stored) co_return StoreTrouble(stored.error());

  Lists lists = ListsOf(*stored, items, block);
  DataChange change;
  change.max_entries = kMaxBlocked;
  change.clear = !block && items.empty();
  if (change.clear) lists = {.before = std::move(lists.after), .after = {}};
  for (const Item& item : items) {
    if (block) {
      change.put.push_back({.key = item.jid, .value = item.report ? item.report->xml : ""});
    } else {
      change.remove.push_back(item.jid);
    }
  }
  Result<DataChanged> changed =
      co_await store.Change(account, DataType::kBlockList, std::move(change));
  if (!changed) co_return StoreTrouble(changed.error());
  if (changed->outcome == DataChanged::Outcome::kFull) {
    co_return StanzaError::ResourceConstraint("too many are blocked");
  }
  if (changed->outcome != DataChanged::Outcome::kDone) co_return StanzaError::ItemNotFound();
  // R13: behind the commit, before it is accepted.
  const Result<uint64_t> raised = co_await shard->registry->RaiseVersion(account);
  if (!raised) co_return StanzaError::ResourceConstraint();
  for (const Item& item : items) {
    if (item.report && changed->changed) TakeReport(account, item.jid, *item.report);
  }
  SubscriptionEffects effects;
  effects.stanzas->push_back(Push(iq, block ? "block" : "unblock", items));
  const Result<void> introduced = co_await Introduce(shard, iq, BlockList(std::move(lists.before)),
                                                     BlockList(std::move(lists.after)), &effects);
  if (!introduced) co_return StoreTrouble(introduced.error());
  co_await IssueWithPatience(shard, std::move(effects));
  co_return IqReply::Result();
}

}  // namespace

Feature Blocking(Shard* shard, ListsPtr lists) {
  Feature feature;
  feature.name = "blocking";
  feature.specs = {{.xep = 191, .version = "1.3"}};
  feature.disco.server = {ns::kBlocking};
  feature.disco.account = {ns::kBlocking};
  feature.iqs = {
      {IqType::kGet, ns::kBlocking, "blocklist", Addressee::kOwnAccount,
       [shard](Iq iq) { return GetList(shard, std::move(iq)); }},
      {IqType::kSet, ns::kBlocking, "block", Addressee::kOwnAccount,
       [shard](Iq iq) { return Change(shard, std::move(iq), true); }},
      {IqType::kSet, ns::kBlocking, "unblock", Addressee::kOwnAccount,
       [shard](Iq iq) { return Change(shard, std::move(iq), false); }},
  };
  StageHandler client;
  client.stage = Stage::kFromClient;
  client.kinds = kMessages | kPresences | kIqs;
  client.soon = [lists](StageEvent& event, StageDone done) {
    FromClient(lists.get(), &event, std::move(done));
  };
  StageHandler outside;
  outside.stage = Stage::kFromOutside;
  outside.kinds = kMessages | kPresences | kIqs;
  outside.later = [lists](StageEvent& event) { return FromOutside(lists, event); };
  feature.stages = {std::move(client), std::move(outside)};
  if (shard == nullptr) return feature;
  shard->audience_filter = [lists](xmpp::BareJid account, std::vector<xmpp::BareJid>* contacts) {
    return lists->KeepUnblocked(std::move(account), contacts);
  };
  shard->listener_filter = [lists](xmpp::Jid from, std::vector<xmpp::BareJid>* accounts) {
    return lists->KeepListeners(std::move(from), accounts);
  };
  return feature;
}

}  // namespace business
