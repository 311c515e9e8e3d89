#include "business/admin/user_import.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "business/admin/pie_elements.h"
#include "business/auth/account_admin.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/log.h"
#include "lib/xmpp/namespaces.h"
#include "proto/admin.pb.h"

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::BareJid;
using xmpp::Element;
namespace ns = xmpp::ns;

namespace {

constexpr size_t kPartsAtOnce = 64;
constexpr size_t kContactsAtOnce = 16;
constexpr size_t kArchivedAtOnce = 100;
constexpr int kMaxNotes = 1000;

// Runs make(0) … make(n - 1), at most `width` at a time.
struct Lanes {
  std::function<Task<void>(size_t)> make;
  size_t n = 0, next = 0, open = 0;
  runtime::OneShot<bool> done;
};

Task<void> Lane(std::shared_ptr<Lanes> lanes) {
  while (lanes->next < lanes->n) co_await lanes->make(lanes->next++);
  if (--lanes->open == 0) lanes->done.Set(true);
}

Task<void> Each(size_t n, size_t width, std::function<Task<void>(size_t)> make) {
  if (n == 0) co_return;
  auto lanes = std::make_shared<Lanes>();
  lanes->make = std::move(make);
  lanes->n = n;
  lanes->open = std::min(n, width);
  for (size_t i = lanes->open; i > 0; --i) runtime::Spawn(Lane(lanes));
  co_await lanes->done;
}

std::string NameOf(const Element& element) { return "<" + element.name() + "> of " + element.ns(); }

}  // namespace

struct UserImport::Run {
  xylem::v1::ImportUsersRequest request;
  xylem::v1::ImportUsersResponse response;
  std::optional<runtime::Error> trouble;  // the first; what follows is not begun

  void Note(const std::string& jid, std::string text) {
    if (response.notes_size() >= kMaxNotes) return;
    auto* note = response.add_notes();
    note->set_jid(jid);
    note->set_text(std::move(text));
  }
  // True: it went well.
  template <typename T>
  bool Good(const Result<T>& result) {
    if (!result && !trouble) trouble = result.error();
    return result.has_value();
  }
};

Task<AdminAnswer> UserImport::Import(xylem::v1::ImportUsersRequest request) {
  auto run = std::make_shared<Run>();
  run->request = std::move(request);
  // Parts of one account, if there are several in a call, one after the other.
  std::vector<std::vector<size_t>> groups;
  for (int i = 0; i < run->request.users_size(); ++i) {
    const bool same = i > 0 && run->request.users(i).jid() == run->request.users(i - 1).jid();
    if (!same) groups.emplace_back();
    groups.back().push_back(static_cast<size_t>(i));
  }
  const std::function<Task<void>(size_t)> one = [this, run, &groups](size_t group) {
    return Group(run, groups[group]);
  };
  co_await Each(groups.size(), kPartsAtOnce, one);
  if (run->trouble) co_return AdminAnswer::Trouble("importing (repeat it)", *run->trouble);
  runtime::LogInfo("users_imported", "an operator imported accounts",
                   {{"parts", run->request.users_size()}, {"added", run->response.accounts()}});
  co_return AdminAnswer::Ok(run->response);
}

Task<void> UserImport::Group(RunPtr run, std::vector<size_t> parts) {
  for (size_t part : parts) co_await Part(run, part);
}

Task<void> UserImport::Part(RunPtr run, size_t index) {
  if (run->trouble) co_return;
  const auto& part = run->request.users(static_cast<int>(index));
  const auto jid = BareJid::Parse(part.jid());
  if (!jid) {
    run->Note(part.jid(), "is no account's address (name@domain)");
    co_return;
  }
  const bool there = co_await Account(run, index);
  if (!there) co_return;
  for (const std::string& bytes : part.elements()) {
    auto element = Element::Parse(bytes);
    if (!element) {
      run->Note(part.jid(), "an element is malformed");
      continue;
    }
    co_await Take(run, *jid, std::make_shared<const Element>(std::move(*element)));
    if (run->trouble) co_return;
  }
}

// False: there is nobody to take the data.
Task<bool> UserImport::Account(RunPtr run, size_t index) {
  using Outcome = AccountAdmin::Outcome;
  const auto& part = run->request.users(static_cast<int>(index));
  std::vector<xmpp::sasl::ScramKeys> keys;
  for (const std::string& bytes : part.elements()) {
    if (!bytes.starts_with("<scram-credentials")) continue;
    const auto element = Element::Parse(bytes);
    if (!element) continue;
    if (auto read = pie::ReadKeys(*element)) {
      keys.push_back(std::move(*read));
    } else {
      run->Note(part.jid(),
                "credentials of another mechanism, damaged, or with too few iterations");
    }
  }
  Result<Outcome> outcome = Outcome::kMissing;
  if (!part.password().empty()) {
    outcome = co_await accounts_->Add(part.jid(), part.password());
  } else if (!keys.empty()) {
    outcome = co_await accounts_->AddWithKeys(part.jid(), std::move(keys));
  } else {
    const auto found = co_await accounts_->Get(part.jid());
    if (!run->Good(found)) co_return false;
    if (found->has_value()) outcome = Outcome::kExists;
  }
  if (!run->Good(outcome)) co_return false;
  switch (*outcome) {
    case Outcome::kDone:
      run->response.set_accounts(run->response.accounts() + 1);
      co_return true;
    case Outcome::kExists:
      co_return true;
    case Outcome::kMissing:
      run->Note(part.jid(), "there is no such account, and the file has no password for it");
      co_return false;
    case Outcome::kForeignDomain:
      run->Note(part.jid(), "this cluster does not serve its domain");
      co_return false;
    case Outcome::kBadJid:
      run->Note(part.jid(), "its name looks like another one");
      co_return false;
    case Outcome::kBadPassword:
      run->Note(part.jid(), "its password has what passwords must not have (RFC 8265)");
      co_return false;
  }
  co_return false;
}

Task<void> UserImport::Take(RunPtr run, BareJid owner, Elements element) {
  const Element& e = *element;
  if (e.Is("scram-credentials", ns::kPieScram)) {
    co_return;  // see Account
  } else if (e.Is("query", ns::kRoster)) {
    co_await Roster(run, owner, element);
  } else if (e.Is("presence", ns::kClient)) {
    co_await Request(run, owner, element);
  } else if (e.Is("offline-messages", ns::kPie)) {
    co_await Offline(run, owner, element);
  } else if (e.Is("query", ns::kPrivateXml) || e.Is("vCard", ns::kVcardTemp) ||
             e.Is("blocklist", ns::kBlocking)) {
    co_await Collection(run, owner, element);
  } else if (e.Is("archive", ns::kPieArchive)) {
    co_await Archive(run, owner, element);
  } else {
    run->Note(owner.ToString(), NameOf(e) + " is not imported");
  }
}

Task<void> UserImport::Roster(RunPtr run, BareJid owner, Elements query) {
  const std::function<Task<void>(size_t)> one = [this, run, owner, query](size_t i) {
    return Contact(run, owner, query, i);
  };
  co_await Each(query->Elements().size(), kContactsAtOnce, one);
  const auto raised = co_await shard_->registry->RaiseVersion(owner);
  run->Good(raised);
}

Task<void> UserImport::Contact(RunPtr run, BareJid owner, Elements query, size_t index) {
  if (run->trouble) co_return;
  const Element* item = query->Elements()[index];
  auto entry = pie::ReadContact(*item);
  if (!entry || !item->Is("item", ns::kRoster)) {
    run->Note(owner.ToString(), "the contact '" + std::string(item->Attr("jid")) + "' is none");
    co_return;
  }
  RosterTransition set = [item = entry->item](const RosterEntry& before) {
    RosterEntry after = before;
    after.item = item;
    return after;
  };
  RosterUpdateOptions options;
  const auto done = co_await shard_->stores->rosters->Update(owner, entry->contact, std::move(set),
                                                             std::move(options));
  if (!run->Good(done)) co_return;
  if (done->outcome == RosterUpdate::Outcome::kFull) {
    run->Note(owner.ToString(), "the roster is full at " + entry->contact.ToString());
  } else {
    run->response.set_contacts(run->response.contacts() + 1);
  }
}

Task<void> UserImport::Request(RunPtr run, BareJid owner, Elements presence) {
  const auto from = xmpp::Jid::Parse(presence->Attr("from"));
  if (presence->Attr("type") != "subscribe" || !from) {
    run->Note(owner.ToString(), "a <presence/> that asks for nothing");
    co_return;
  }
  Element stanza = *presence;
  stanza.RemoveAttr("from");
  stanza.RemoveAttr("to");
  const SubscriptionRequest request{.stanza = stanza.Write(),
                                    .stamp = pie::ReadOffline(*presence).stamp_ms};
  RosterTransition set = [request](const RosterEntry& before) {
    RosterEntry after = before;
    const bool answered = before.item && (static_cast<uint8_t>(before.item->subscription) &
                                          static_cast<uint8_t>(Subscription::kFrom)) != 0;
    if (!answered && !before.request) after.request = request;
    return after;
  };
  const xmpp::Jid contact = xmpp::Jid::FromNormalized(std::string(from->BareView()));
  RosterUpdateOptions options;
  const auto done = co_await shard_->stores->rosters->Update(owner, contact, std::move(set),
                                                             std::move(options));
  if (!run->Good(done)) co_return;
  run->response.set_requests(run->response.requests() + 1);
  const auto raised = co_await shard_->registry->RaiseVersion(owner);
  run->Good(raised);
}

Task<void> UserImport::Offline(RunPtr run, BareJid owner, Elements messages) {
  for (const Element* message : messages->Elements()) {
    if (!message->Is("message", ns::kClient)) continue;
    OfflineMessage offline = pie::ReadOffline(*message);
    const OfflineLimits limits;
    const auto added = co_await shard_->stores->offline->Add(owner, std::move(offline), limits);
    if (!run->Good(added)) co_return;
    if (*added == OfflineStore::Append::kFull) {
      run->Note(owner.ToString(), "the offline messages are full");
      co_return;
    }
    run->response.set_offline(run->response.offline() + 1);
  }
}

Task<void> UserImport::Collection(RunPtr run, BareJid owner, Elements element) {
  DataChange change;
  DataType type = DataType::kVcard;
  if (element->name() == "vCard") {
    change.put.push_back({.key = "", .value = element->Write()});
  } else if (element->name() == "blocklist") {
    type = DataType::kBlockList;
    for (const Element* item : element->Elements()) {
      const auto jid = xmpp::Jid::Parse(item->Attr("jid"));
      if (jid) change.put.push_back({.key = jid->ToString(), .value = ""});
    }
  } else {
    type = DataType::kPrivateXml;
    for (const Element* item : element->Elements()) {
      change.put.push_back({.key = item->ns() + " " + item->name(), .value = item->Write()});
    }
  }
  if (change.put.empty()) co_return;
  const size_t entries = change.put.size();
  const xmpp::Jid whose = xmpp::Jid::FromNormalized(owner.ToString());
  const auto done = co_await shard_->stores->account_data->Change(whose, type, std::move(change));
  if (!run->Good(done)) co_return;
  if (done->outcome != DataChanged::Outcome::kDone) {
    run->Note(owner.ToString(), NameOf(*element) + " does not fit in");
    co_return;
  }
  auto& response = run->response;
  if (type == DataType::kVcard) response.set_vcards(response.vcards() + 1);
  if (type == DataType::kBlockList) response.set_blocked(response.blocked() + entries);
  if (type == DataType::kPrivateXml) response.set_private_xml(response.private_xml() + entries);
  const auto raised = co_await shard_->registry->RaiseVersion(owner);
  run->Good(raised);
}

Task<void> UserImport::Archive(RunPtr run, BareJid owner, Elements archive) {
  std::vector<ArchiveEntry> entries;
  const std::vector<const Element*> results = archive->Elements();
  for (size_t i = 0; i < results.size(); ++i) {
    if (auto entry = pie::ReadArchived(owner, *results[i])) {
      entries.push_back(std::move(*entry));
    } else {
      run->Note(owner.ToString(), "an archived message is none");
    }
    if (entries.empty() || (entries.size() < kArchivedAtOnce && i + 1 < results.size())) continue;
    std::vector<ArchiveEntry> batch;
    batch.swap(entries);
    const auto places = co_await shard_->stores->archives->Insert(std::move(batch));
    if (!run->Good(places)) co_return;
    run->response.set_archived(run->response.archived() + places->size());
  }
}

}  // namespace business
