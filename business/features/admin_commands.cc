// XEP-0133: Service Administration 1.3.1.
#include "business/features/admin_commands.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "business/auth/account_admin.h"
#include "business/features/store_trouble.h"
#include "business/presence/last_presence.h"
#include "business/presence/roster_lookup.h"
#include "business/presence/roster_push.h"
#include "business/routing/server_stanza.h"
#include "business/session/session_kicker.h"
#include "business/session/session_survey.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/log.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using xmpp::DataForm;
using xmpp::StanzaError;
using Outcome = AccountAdmin::Outcome;

constexpr uint32_t kPage = 1000;          // accounts read at once
constexpr size_t kMostCounted = 1000000;  // accounts, sessions
constexpr size_t kMostListed = 200;       // in one form, unless less is asked for
constexpr size_t kMostJids = 100;         // in one command
constexpr size_t kAtOnce = 100;           // announcements under way

std::string NodeOf(std::string_view name) {
  return std::string(ns::kAdmin) + "#" + std::string(name);
}

DataForm Form(std::string_view title, std::string_view instructions) {
  DataForm form = DataForm::Of("form", ns::kAdmin);
  form.title = title;
  form.instructions = instructions;
  return form;
}

xmpp::FormField& AddField(DataForm* form, std::string_view var, std::string_view type,
                          std::string_view label, bool required = true) {
  form->fields.push_back({.var = std::string(var),
                          .type = std::string(type),
                          .label = std::string(label),
                          .values = {},
                          .options = {},
                          .required = required});
  return form->fields.back();
}

DataForm ResultForm() { return DataForm::Of("result", ns::kAdmin); }

StanzaError Refusal(Outcome outcome, const std::string& jid) {
  switch (outcome) {
    case Outcome::kExists:
      return StanzaError::Conflict("there is an account " + jid + " already");
    case Outcome::kMissing:
      return StanzaError::ItemNotFound("there is no account " + jid);
    case Outcome::kForeignDomain:
      return StanzaError::NotAllowed("the domain of " + jid + " is not served here");
    case Outcome::kBadPassword:
      return StanzaError::NotAcceptable("this cannot be a password");
    default:
      return StanzaError::NotAcceptable(jid + " cannot be an account");
  }
}

void Note(const CommandStep& step, const char* event, const std::string& jid) {
  runtime::LogInfo(event, "an administrator gave a command",
                   {{"administrator", step.asker.ToString()}, {"jid", jid}});
}

// ---- accounts ----

Task<CommandOutcome> AddUser(Shard* shard, CommandStep step) {
  if (step.stage == 0) {
    DataForm form = Form("Adding a User", "Fill out this form to add a user.");
    AddField(&form, "accountjid", "jid-single", "The Jabber ID for the account to be added");
    AddField(&form, "password", "text-private", "The password for this account");
    AddField(&form, "password-verify", "text-private", "Retype password");
    co_return CommandReply::Ask(std::move(form));
  }
  const std::string jid = step.Value("accountjid");
  if (step.Value("password") != step.Value("password-verify")) {
    co_return StanzaError::NotAcceptable("the passwords differ");
  }
  const Result<Outcome> outcome = co_await shard->accounts->Add(jid, step.Value("password"));
  if (!outcome) co_return StoreTrouble(outcome.error());
  const bool again = *outcome == Outcome::kExists && step.iq.repeated;
  if (*outcome != Outcome::kDone && !again) co_return Refusal(*outcome, jid);
  Note(step, "account_added", jid);
  co_return CommandReply::Done("The account " + jid + " is added.");
}

Task<CommandOutcome> ChangePassword(Shard* shard, CommandStep step) {
  if (step.stage == 0) {
    DataForm form = Form("Changing a User Password", "Fill out this form to change a password.");
    AddField(&form, "accountjid", "jid-single", "The Jabber ID for this account");
    AddField(&form, "password", "text-private", "The password for this account");
    co_return CommandReply::Ask(std::move(form));
  }
  const std::string jid = step.Value("accountjid");
  const Result<Outcome> outcome =
      co_await shard->accounts->SetPassword(jid, step.Value("password"));
  if (!outcome) co_return StoreTrouble(outcome.error());
  if (*outcome != Outcome::kDone) co_return Refusal(*outcome, jid);
  Note(step, "password_set", jid);
  co_return CommandReply::Done("The password of " + jid + " is changed.");
}

enum class Fate { kDelete, kDisable, kReenable, kEndSessions };

struct FateWords {
  std::string_view node, title, label, done;
  const char* event;
};

FateWords WordsOf(Fate fate) {
  switch (fate) {
    case Fate::kDelete:
      return {"delete-user", "Deleting a User", "The Jabber ID(s) to delete", "deleted",
              "account_deleted"};
    case Fate::kDisable:
      return {"disable-user", "Disabling a User", "The Jabber ID(s) to disable", "disabled",
              "account_locked"};
    case Fate::kReenable:
      return {"reenable-user", "Re-Enable a User", "The Jabber ID(s) to re-enable", "re-enabled",
              "account_unlocked"};
    case Fate::kEndSessions:
      break;
  }
  return {"end-user-session", "Ending a User Session", "The Jabber ID(s) for which to end sessions",
          "disconnected", "sessions_ended"};
}

// What was done to one of them; an error sentence, or nothing.
Task<std::string> Do(Shard* shard, Fate fate, std::string text) {
  const auto jid = xmpp::Jid::Parse(text);
  const auto account = jid ? xmpp::BareJid::From(*jid) : std::nullopt;
  if (!account || (jid->HasResource() && fate != Fate::kEndSessions)) {
    co_return text + " is no address of an account";
  }
  Result<Outcome> outcome = Outcome::kDone;
  if (fate == Fate::kDelete) outcome = co_await shard->accounts->Delete(account->ToString());
  if (fate == Fate::kDisable) {
    outcome = co_await shard->accounts->SetLocked(account->ToString(), true);
  }
  if (fate == Fate::kReenable) {
    outcome = co_await shard->accounts->SetLocked(account->ToString(), false);
  }
  if (!outcome) co_return text + ": " + outcome.error().message;
  // Missing: the first try may have come this far only, and its sessions go, too.
  const bool missing = *outcome == Outcome::kMissing;
  uint32_t ended = 0;
  if (fate != Fate::kReenable) {
    const bool gone = fate == Fate::kDelete;
    SessionKicker kicker = KickerOf(shard);
    xmpp::StreamError error{gone ? xmpp::StreamCondition::kNotAuthorized
                                 : xmpp::StreamCondition::kPolicyViolation,
                            "By order of an administrator.",
                            {}};
    std::string resource(jid->resource());
    const Result<uint32_t> kicked =
        co_await kicker.End(*account, std::move(resource), std::move(error));
    if (!kicked) co_return text + ": " + kicked.error().message;
    ended = *kicked;
  }
  if (missing && ended == 0) co_return "there is no account " + text;
  if (fate == Fate::kEndSessions && ended == 0) co_return text + " is not connected";
  co_return std::string();
}

Task<CommandOutcome> Decide(Shard* shard, Fate fate, CommandStep step) {
  const FateWords words = WordsOf(fate);
  if (step.stage == 0) {
    DataForm form = Form(words.title, "Fill out this form.");
    AddField(&form, "accountjids", "jid-multi", words.label);
    co_return CommandReply::Ask(std::move(form));
  }
  const std::vector<std::string> jids = step.Values("accountjids");
  if (jids.size() > kMostJids) co_return StanzaError::NotAcceptable("too many at once");
  CommandReply reply;
  size_t done = 0;
  for (const std::string& jid : jids) {
    const std::string problem = co_await Do(shard, fate, jid);
    if (problem.empty()) {
      ++done;
      Note(step, words.event, jid);
    } else {
      reply.notes.emplace_back("error", problem);
    }
  }
  if (done == 0 && !step.iq.repeated) {
    co_return StanzaError::ItemNotFound(reply.notes.empty() ? std::string("nobody was named")
                                                            : reply.notes.front().second);
  }
  reply.notes.emplace_back("info", std::to_string(done) + " " + std::string(words.done) + ".");
  co_return reply;
}

// ---- one account ----

// The account that the form names; an error for what is none.
Task<std::variant<Account, StanzaError>> Named(Shard* shard, std::string jid) {
  Result<std::optional<Account>> account = co_await shard->accounts->Get(jid);
  if (!account) co_return StoreTrouble(account.error());
  if (!*account) co_return StanzaError::ItemNotFound("there is no account " + jid);
  co_return **std::move(account);
}

CommandReply AskForAccount(std::string_view title, std::string_view label) {
  DataForm form = Form(title, "Fill out this form.");
  AddField(&form, "accountjid", "jid-single", label);
  return CommandReply::Ask(std::move(form));
}

Task<CommandOutcome> GetRoster(Shard* shard, CommandStep step) {
  if (step.stage == 0) {
    co_return AskForAccount("Getting a User's Roster", "The Jabber ID whose roster is wanted");
  }
  auto named = co_await Named(shard, step.Value("accountjid"));
  if (auto* error = std::get_if<StanzaError>(&named)) co_return std::move(*error);
  const xmpp::BareJid jid = std::get<Account>(named).jid;
  const Result<RosterPtr> roster = co_await shard->rosters->RosterOf(jid);
  if (!roster) co_return StoreTrouble(roster.error());
  DataForm form = ResultForm();
  form.Add("accountjid", "jid-single", jid.ToString());
  CommandReply reply = CommandReply::Result(std::move(form));
  xmpp::Element query("query", ns::kRoster);
  for (const RosterEntry& entry : (*roster)->entries) {
    if (entry.item) query.Add(RosterItemElement(entry));
  }
  reply.content.push_back(std::move(query));
  co_return reply;
}

Task<CommandOutcome> GetLastLogin(Shard* shard, CommandStep step) {
  if (step.stage == 0) {
    co_return AskForAccount("Getting a User's Last Login", "The Jabber ID whose login is wanted");
  }
  auto named = co_await Named(shard, step.Value("accountjid"));
  if (auto* error = std::get_if<StanzaError>(&named)) co_return std::move(*error);
  const xmpp::BareJid jid = std::get<Account>(named).jid;
  const auto rows = co_await shard->registry->Lookup(jid);
  if (!rows) co_return StoreTrouble(rows.error());
  uint64_t newest_ms = 0;
  for (const cluster::SessionRecord& row : *rows) newest_ms = std::max(newest_ms, row.since_ms);
  std::string when = "never, or long ago";
  if (newest_ms != 0) {
    when = xmpp::DateTimeText(static_cast<int64_t>(newest_ms / 1000 * 1000));
  } else {
    const std::optional<LastPresence> last = co_await LastPresenceOf(shard, jid);
    if (last) when = xmpp::DateTimeText(last->left_ms / 1000 * 1000);
  }
  DataForm form = ResultForm();
  form.Add("accountjid", "jid-single", jid.ToString());
  form.Add("lastlogin", "text-single", when);
  co_return CommandReply::Result(std::move(form));
}

Task<CommandOutcome> GetStats(Shard* shard, CommandStep step) {
  if (step.stage == 0) {
    co_return AskForAccount("Getting User Statistics", "The Jabber ID whose figures are wanted");
  }
  auto named = co_await Named(shard, step.Value("accountjid"));
  if (auto* error = std::get_if<StanzaError>(&named)) co_return std::move(*error);
  const xmpp::BareJid jid = std::get<Account>(named).jid;
  const Result<RosterPtr> roster = co_await shard->rosters->RosterOf(jid);
  const auto rows = co_await shard->registry->Lookup(jid);
  if (!roster) co_return StoreTrouble(roster.error());
  if (!rows) co_return StoreTrouble(rows.error());
  DataForm form = ResultForm();
  form.Add("accountjid", "jid-single", jid.ToString());
  xmpp::FormField addresses{.var = "ipaddresses", .type = "text-multi"};
  xmpp::FormField resources{.var = "onlineresources", .type = "text-multi"};
  for (const cluster::SessionRecord& row : *rows) {
    addresses.values.push_back(row.peer_address);
    resources.values.push_back(row.resource);
  }
  form.fields.push_back(std::move(addresses));
  const auto items = std::count_if((*roster)->entries.begin(), (*roster)->entries.end(),
                                   [](const RosterEntry& entry) { return entry.item.has_value(); });
  form.Add("rostersize", "text-single", std::to_string(items));
  form.fields.push_back(std::move(resources));
  co_return CommandReply::Result(std::move(form));
}

// ---- everybody ----

enum class Crowd { kRegistered, kDisabled, kOnline, kActive, kIdle };

struct CrowdWords {
  std::string_view number_node, list_node, title, number, jids;
};

CrowdWords WordsOf(Crowd crowd) {
  switch (crowd) {
    case Crowd::kRegistered:
      return {"get-registered-users-num", "get-registered-users-list", "Registered Users",
              "registeredusersnum", "registereduserjids"};
    case Crowd::kDisabled:
      return {"get-disabled-users-num", "get-disabled-users-list", "Disabled Users",
              "disabledusersnum", "disableduserjids"};
    case Crowd::kOnline:
      return {"get-online-users-num", "get-online-users-list", "Online Users", "onlineusersnum",
              "onlineuserjids"};
    case Crowd::kActive:
      return {"get-active-users-num", "get-active-users", "Active Users", "activeusersnum",
              "activeuserjids"};
    case Crowd::kIdle:
      break;
  }
  return {"get-idle-users-num", "get-idle-users", "Idle Users", "idleusersnum", "idleuserjids"};
}

struct Members {
  std::vector<std::string> jids;  // the first few, by name
  size_t count = 0;
};

Task<Result<Members>> AccountsOf(Shard* shard, std::string domain, bool locked_only, size_t most) {
  Members members;
  std::string after;
  for (;;) {
    Result<std::vector<Account>> page = co_await shard->accounts->List(domain, after, kPage);
    if (!page) co_return page.error();
    for (const Account& account : *page) {
      if (locked_only && !account.locked) continue;
      ++members.count;
      if (members.jids.size() < most) members.jids.push_back(account.jid.ToString());
    }
    if (page->size() < kPage || members.count >= kMostCounted) co_return members;
    after = page->back().jid.ToString();
  }
}

bool Belongs(Crowd crowd, const cluster::SessionRecord& row) {
  if (crowd == Crowd::kOnline) return true;
  // Idle: connected, and nobody is looking: not available, or the client says so (XEP-0352).
  const bool idle = !row.available || (row.flags & cluster::kSessionInactive) != 0;
  return (crowd == Crowd::kIdle) == idle;
}

Task<Result<Members>> SessionsOf(Shard* shard, std::string domain, Crowd crowd, size_t most) {
  SessionSurvey survey(shard->registry, shard->redis);
  Result<SessionSurvey::Rows> rows = co_await survey.AllRows(kMostCounted);
  if (!rows) co_return rows.error();
  std::set<std::string> accounts;
  for (const SessionSurvey::Row& row : *rows) {
    const xmpp::Jid jid = xmpp::Jid::FromNormalized(row.jid);
    if (jid.domain() == domain && Belongs(crowd, row.record)) accounts.emplace(jid.BareView());
  }
  Members members;
  members.count = accounts.size();
  for (const std::string& account : accounts) {
    if (members.jids.size() >= most) break;
    members.jids.push_back(account);
  }
  co_return members;
}

Task<Result<Members>> MembersOf(Shard* shard, Crowd crowd, CommandStep step, size_t most) {
  std::string domain(step.iq.to.domain());
  if (crowd == Crowd::kRegistered || crowd == Crowd::kDisabled) {
    Result<Members> members =
        co_await AccountsOf(shard, std::move(domain), crowd == Crowd::kDisabled, most);
    co_return members;
  }
  Result<Members> members = co_await SessionsOf(shard, std::move(domain), crowd, most);
  co_return members;
}

Task<CommandOutcome> GetNumber(Shard* shard, Crowd crowd, CommandStep step) {
  const Result<Members> members = co_await MembersOf(shard, crowd, std::move(step), 0);
  if (!members) co_return StoreTrouble(members.error());
  DataForm form = ResultForm();
  form.Add(WordsOf(crowd).number, "text-single", std::to_string(members->count));
  co_return CommandReply::Result(std::move(form));
}

Task<CommandOutcome> GetList(Shard* shard, Crowd crowd, CommandStep step) {
  const CrowdWords words = WordsOf(crowd);
  if (step.stage == 0) {
    DataForm form = Form(words.title, "Fill out this form to see a list.");
    xmpp::FormField& most =
        AddField(&form, "max_items", "list-single", "Maximum number of items to show", false);
    for (const char* number : {"25", "50", "100", "200"}) most.options.push_back({number, number});
    most.values = {"200"};
    co_return CommandReply::Ask(std::move(form));
  }
  const std::string asked = step.Value("max_items");
  size_t most = kMostListed;
  for (size_t number : {25, 50, 100, 200}) {
    if (asked == std::to_string(number)) most = number;
  }
  Result<Members> members = co_await MembersOf(shard, crowd, std::move(step), most);
  if (!members) co_return StoreTrouble(members.error());
  DataForm form = ResultForm();
  form.fields.push_back({.var = std::string(words.jids),
                         .type = "text-multi",
                         .label = {},
                         .values = std::move(members->jids)});
  CommandReply reply = CommandReply::Result(std::move(form));
  if (members->count > most) {
    reply.notes.emplace_back("info", "There are " + std::to_string(members->count) + ".");
  }
  co_return reply;
}

// ---- announcements ----

// Waits until all have been delivered, or cannot be.
Task<void> SendAll(Shard* shard, std::vector<ServerStanza> stanzas) {
  struct Open {
    size_t left = 1;
    runtime::OneShot<bool> done;
    void One() {
      if (--left == 0) done.Set(true);
    }
  };
  auto open = std::make_shared<Open>();
  for (ServerStanza& stanza : stanzas) {
    ++open->left;
    SendServerStanza(shard, std::move(stanza), [open](AccountDelivery::End) { open->One(); });
  }
  open->One();
  co_await open->done;
}

Task<void> SendAnnouncement(Shard* shard, std::string domain, std::string text,
                            cluster::ClusterId cause) {
  SessionSurvey survey(shard->registry, shard->redis);
  Result<SessionSurvey::Rows> rows = co_await survey.AllRows(kMostCounted);
  if (!rows) {
    runtime::LogError("announcement", "Nobody was reached.", {{"err", rows.error().message}});
    co_return;
  }
  xmpp::Element message("message", ns::kClient);
  message.SetAttr("type", "headline");
  message.Add("subject", ns::kClient).AddText("Announcement");
  message.Add("body", ns::kClient).AddText(text);
  const std::string bytes = message.Write();
  const std::string origin(cause.begin(), cause.end());
  size_t sent = 0;
  std::vector<ServerStanza> batch;
  for (const SessionSurvey::Row& row : *rows) {
    const xmpp::Jid to = xmpp::Jid::FromNormalized(row.jid);
    if (to.domain() != domain) continue;
    ServerStanza stanza;
    stanza.type = xmpp::StanzaType::kHeadline;
    stanza.from = domain;
    stanza.to = to;
    stanza.bytes = bytes;
    stanza.flags = xmpp::kHasBody | xmpp::kHasSubject | xmpp::kManyPayloads;
    stanza.id = shard->ids->Make(origin, sent, to.ToString(), bytes);
    stanza.index = kEffectAnnouncement;
    batch.push_back(std::move(stanza));
    ++sent;
    if (batch.size() < kAtOnce) continue;
    co_await SendAll(shard, std::exchange(batch, {}));
  }
  co_await SendAll(shard, std::move(batch));
  runtime::LogInfo("announcement", "An announcement was sent.", {{"sessions", sent}});
}

Task<CommandOutcome> Announce(Shard* shard, CommandStep step) {
  if (step.stage == 0) {
    DataForm form = Form("Making an Announcement", "It goes to everybody who is connected.");
    AddField(&form, "announcement", "text-multi", "Announcement");
    co_return CommandReply::Ask(std::move(form));
  }
  std::string text;
  for (const std::string& line : step.Values("announcement")) {
    text.append(text.empty() ? "" : "\n").append(line);
  }
  Note(step, "announced", std::string(step.iq.to.domain()));
  CommandReply reply = CommandReply::Done("The announcement is on its way.");
  reply.next = [shard, domain = std::string(step.iq.to.domain()), text,
                cause = step.iq.cluster_id] {
    runtime::Spawn(SendAnnouncement(shard, domain, text, cause));
  };
  co_return reply;
}

}  // namespace

std::vector<Command> AdminCommands(Shard* shard, const ServiceOptions& options) {
  const auto administrators =
      std::make_shared<const std::vector<std::string>>(options.administrators);
  const auto allowed = [administrators](const xmpp::BareJid& asker) {
    return std::find(administrators->begin(), administrators->end(), asker.ToString()) !=
           administrators->end();
  };
  std::vector<Command> commands;
  const auto add = [&](std::string_view node, std::string_view name,
                       std::function<Task<CommandOutcome>(CommandStep)> run) {
    commands.push_back({NodeOf(node), std::string(name), allowed, std::move(run)});
  };
  const auto simple = [shard](Task<CommandOutcome> (*run)(Shard*, CommandStep)) {
    return [shard, run](CommandStep step) { return run(shard, std::move(step)); };
  };
  add("add-user", "Add User", simple(AddUser));
  for (Fate fate : {Fate::kDelete, Fate::kDisable, Fate::kReenable, Fate::kEndSessions}) {
    const FateWords words = WordsOf(fate);
    add(words.node, words.title,
        [shard, fate](CommandStep step) { return Decide(shard, fate, std::move(step)); });
  }
  add("change-user-password", "Change User Password", simple(ChangePassword));
  add("get-user-roster", "Get User Roster", simple(GetRoster));
  add("get-user-lastlogin", "Get User Last Login Time", simple(GetLastLogin));
  add("user-stats", "Get User Statistics", simple(GetStats));
  for (Crowd crowd :
       {Crowd::kRegistered, Crowd::kDisabled, Crowd::kOnline, Crowd::kActive, Crowd::kIdle}) {
    const CrowdWords words = WordsOf(crowd);
    add(words.number_node, "Get Number of " + std::string(words.title),
        [shard, crowd](CommandStep step) { return GetNumber(shard, crowd, std::move(step)); });
    add(words.list_node, "Get List of " + std::string(words.title),
        [shard, crowd](CommandStep step) { return GetList(shard, crowd, std::move(step)); });
  }
  add("announce", "Send Announcement to Online Users", simple(Announce));
  return commands;
}

Feature ServiceAdministration() {
  Feature feature;
  feature.name = "service_administration";
  feature.specs = {{.xep = 133, .version = "1.3.1"}};
  feature.needs = {"commands"};
  return feature;
}

}  // namespace business
