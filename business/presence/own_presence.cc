#include "business/presence/own_presence.h"

#include <absl/hash/hash.h>

#include <chrono>
#include <set>
#include <utility>

#include "business/presence/contact_fanout.h"
#include "business/presence/directed_presence.h"
#include "business/presence/last_presence.h"
#include "business/presence/presence_delivery.h"
#include "business/presence/resource_presences.h"
#include "business/routing/feature_set.h"
#include "business/routing/sender_reply.h"
#include "business/routing/server_stanza.h"
#include "business/routing/stanza_class.h"
#include "business/routing/stanza_reply.h"
#include "business/session/ownership_guard.h"
#include "business/session/session.h"
#include "business/session/shard.h"

namespace business {
namespace {

constexpr std::chrono::milliseconds kTryAgainIn{200};
// While announcements run, see ShowLater: longer than they leave the generation unsettled.
constexpr std::chrono::milliseconds kShownAgainIn{5500};
constexpr int kShownAgain = 5;

Task<void> Moment(runtime::EventLoop* loop) {
  runtime::OneShot<bool> over;
  loop->RunAfter(kTryAgainIn, [&over] { over.Set(true); });
  co_await over;
}

}  // namespace

OwnPresence::OwnPresence(std::shared_ptr<Session> session, uint64_t in_seq, xmpp::Stanza stanza,
                         int32_t priority, std::vector<std::string> directed,
                         const cluster::ClusterId& id)
    : Submission(session, in_seq),
      AccountDelivery(&session->shard(), session->account()),
      stanza_(std::move(stanza)),
      priority_(priority),
      directed_(std::move(directed)),
      id_(id) {
  recipient_ = absl::HashOf(account().ToString()) | 1;
}

std::shared_ptr<OwnPresence> OwnPresence::Me() {
  return std::static_pointer_cast<OwnPresence>(shared_from_this());
}

std::shared_ptr<AccountDelivery> OwnPresence::Self() {
  return std::shared_ptr<AccountDelivery>(shared_from_this(), this);
}

bool OwnPresence::Abandoned() const { return session_->gone() || state_ == State::kFinished; }

void OwnPresence::Prepare() {
  event_ = {.session = session_,
            .stanza = &stanza_,
            .from = &session_->full(),
            .to = nullptr,
            .resource = nullptr,
            .id = id_};
  shard().features->RunStage(
      Stage::kFromClient, xmpp::StanzaKind::kPresence, event_,
      [self = Me()](StageVerdict verdict) { self->OnStage(std::move(verdict)); });
}

void OwnPresence::OnStage(StageVerdict verdict) {
  if (Abandoned()) return;
  if (auto* error = std::get_if<xmpp::StanzaError>(&verdict)) {
    Bounce(std::move(*error));
  } else if (std::holds_alternative<Handled>(verdict)) {
    Become(State::kFinished);
  } else {
    runtime::Spawn(Write(Me()));
  }
}

cluster::SessionRecord OwnPresence::Changed(uint64_t number) const {
  cluster::SessionRecord record = session_->record;
  record.available = available();
  record.priority = priority_;
  record.presence = available() ? stanza_.bytes : std::string();
  record.presence_number = number;
  return record;
}

Task<void> OwnPresence::Write(std::shared_ptr<OwnPresence> self) {
  Session& session = *self->session_;
  Shard& shard = self->shard();
  const cluster::SessionRecord& before = session.record;
  // The same presence again may be the first one, submitted a second time after its home died: what
  // was shown then is recognised by its effect ids.
  self->first_ = self->available() && (!before.available || before.presence == self->stanza_.bytes);
  const uint64_t number = before.presence_number + 1;
  const uint64_t started = shard.loop->NowMs();
  for (;;) {
    cluster::SessionRecord record = self->Changed(number);
    // R4: after an unknown outcome the same number may be written again; it changes nothing twice.
    const auto outcome = co_await shard.registry->Update(session.account(), record);
    if (self->Abandoned()) co_return;
    if (outcome && *outcome == cluster::WriteOutcome::kDone) {
      self->OnWritten(std::move(record));
      break;
    }
    if (shard.loop->NowMs() - started >= kRegistryDeadlineMs) {
      self->Bounce(xmpp::StanzaError::ResourceConstraint());
      co_return;
    }
    // Fenced: by another owner, or because Redis lost the row and the announcement is on its way.
    // The guard finds out which.
    if (outcome) self->check = shard.guard->Require(session.shared_from_this());
    co_await Moment(shard.loop);
    if (self->Abandoned()) co_return;
  }
  StageEvent event = self->event_;
  event.stanza = nullptr;
  const StageVerdict changed =
      co_await shard.features->RunSessionStage(Stage::kPresenceChanged, std::move(event));
  (void)changed;  // there is nobody to refuse what has happened
  if (self->Abandoned()) co_return;
  PresenceAudience audience = co_await AudienceOf(&shard, session.account());
  if (self->Abandoned()) co_return;
  self->ReadContacts(std::move(audience));
  self->LookUp();
}

// Whom it tells and, at first, whose presence it is shown: one pipeline.
void OwnPresence::ReadContacts(PresenceAudience audience) {
  audience_ = std::move(audience);
  if (!first_) audience_.shown.clear();
  std::vector<xmpp::BareJid> accounts = audience_.told;
  const std::set<xmpp::BareJid> told(audience_.told.begin(), audience_.told.end());
  for (const xmpp::BareJid& contact : audience_.shown) {
    if (!told.contains(contact)) accounts.push_back(contact);
  }
  LookUpContacts(&shard(), std::move(accounts), [self = Me()](std::vector<ContactRows> read) {
    if (!self->Abandoned()) runtime::Spawn(Filter(self, std::move(read)));
  });
}

Task<void> OwnPresence::Filter(std::shared_ptr<OwnPresence> self, std::vector<ContactRows> read) {
  std::vector<ContactRows> left =
      co_await WithoutDeaf(&self->shard(), self->session_->full(), std::move(read));
  if (!self->Abandoned()) self->OnContactsRead(std::move(left));
}

void OwnPresence::OnContactsRead(std::vector<ContactRows> read) {
  const std::set<xmpp::BareJid> shown(audience_.shown.begin(), audience_.shown.end());
  const std::set<xmpp::BareJid> told(audience_.told.begin(), audience_.told.end());
  for (ContactRows& contact : read) {
    if (contact.rows && shown.contains(contact.account)) shown_.push_back(contact);
    if (told.contains(contact.account)) told_.push_back(std::move(contact));
  }
  contacts_read_ = true;
  if (first_ && !shard().generation->settled()) ShowLater(kShownAgain);
  PreparedIfRead();
}

// Redis was empty a moment ago: contacts whose sessions are announced later are shown then.
void OwnPresence::ShowLater(int times) {
  std::vector<xmpp::BareJid> absent;
  for (const ContactRows& contact : shown_) {
    if (contact.rows->empty()) absent.push_back(contact.account);
  }
  if (absent.empty() || times == 0) return;
  shard().loop->RunAfter(kShownAgainIn, [self = Me(), absent, times] {
    LookUpContacts(&self->shard(), absent, [self, times](std::vector<ContactRows> read) {
      if (self->session_->gone() || !self->session_->record.available) return;
      std::erase_if(read, [](const ContactRows& contact) { return !contact.rows; });
      self->shown_ = std::move(read);
      for (const ContactRows& contact : self->shown_) {
        ShowPresences(*self->session_, contact.account, *contact.rows, self->id_, [] {});
      }
      if (!self->shard().generation->settled()) self->ShowLater(times - 1);
    });
  });
}

void OwnPresence::PreparedIfRead() {
  if (own_read_ && contacts_read_) Become(State::kPrepared);
}

void OwnPresence::OnWritten(cluster::SessionRecord record) {
  cluster::SessionRecord& known = session_->record;
  known.available = record.available;
  known.priority = record.priority;
  known.presence = std::move(record.presence);
  known.presence_number = record.presence_number;
  if (!available()) SaveLastPresence(&shard(), account(), stanza_.bytes);
  // Unavailable: once the directed targets have been told, who until then have to be in the ticket.
  if (available()) session_->SendTicket();
}

void OwnPresence::OnLookedUp() {
  owners_ = OwnersHash();
  own_read_ = true;
  PreparedIfRead();
}

Recipients OwnPresence::Choose(const std::vector<cluster::SessionRecord>& rows) {
  Recipients chosen;
  others_.clear();
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const bool own = rows[i].session == session_->record.session;
    // §4.2.2, §4.5.2: to the account's available resources and to the one that says it.
    if (rows[i].available || own) chosen.rows.push_back(i);
    if (first_ && !issued_ && rows[i].available && !own) others_.push_back(rows[i]);
  }
  return chosen;
}

DeliverBody OwnPresence::Body() {
  DeliverBody body;
  body.bytes = xmpp::WithAddresses(stanza_.bytes, stanza_.kind, session_->full().ToString(), {});
  body.splice_offset = xmpp::SpliceOffset(stanza_.kind);
  body.kind = static_cast<uint8_t>(stanza_.kind);
  body.stanza_class = kClassPresence;
  body.flags = stanza_.flags;
  return body;
}

void OwnPresence::Issue() {
  if (std::exchange(issued_, true)) {
    Send();
    return;
  }
  open_ = 3;
  Send();
  TellContacts();
  // Behind its own presence, which tells the client that it is available.
  ShowPresences(*session_, account(), std::exchange(others_, {}), id_,
                [self = Me()] { self->OneDone(); });
  ShowContacts();
  if (first_) ShowRequests();
  TellDirected();
  OneDone();
}

void OwnPresence::TellContacts() {
  if (told_.empty()) return;
  BroadcastPresence presence;
  presence.from = session_->full();
  presence.epoch = session_->epoch();
  presence.number = session_->record.presence_number;
  presence.available = available();
  presence.bytes = stanza_.bytes;
  presence.flags = stanza_.flags;
  presence.id = id_;
  ++open_;
  std::make_shared<ContactFanout>(&shard(), std::move(presence))
      ->Send(std::exchange(told_, {}), [self = Me()] { self->OneDone(); });
}

void OwnPresence::ShowContacts() {
  for (const ContactRows& contact : std::exchange(shown_, {})) {
    ++open_;
    ShowPresences(*session_, contact.account, *contact.rows, id_,
                  [self = Me()] { self->OneDone(); });
  }
}

// §3.1.3: until it is answered, a request is delivered to each resource that becomes available.
void OwnPresence::ShowRequests() {
  if (!audience_.roster) return;
  for (const RosterEntry& entry : audience_.roster->entries) {
    if (!entry.request) continue;
    ++open_;
    ServerStanza request;
    request.kind = xmpp::StanzaKind::kPresence;
    request.type = xmpp::StanzaType::kSubscribe;
    request.from = entry.contact.ToString();
    request.to = account();
    request.bytes = entry.request->stanza;
    request.id = shard().ids->Make(std::string(id_.begin(), id_.end()), 0, request.from,
                                   request.bytes);
    request.index = kEffectStoredRequest;
    request.choose = [session = session_->record.session](const auto& rows) {
      Recipients chosen;
      for (uint32_t i = 0; i < rows.size(); ++i) {
        if (rows[i].session == session) chosen.rows.push_back(i);
      }
      return chosen;
    };
    SendServerStanza(&shard(), std::move(request),
                     [self = Me()](AccountDelivery::End) { self->OneDone(); });
  }
}

void OwnPresence::TellDirected() {
  for (const std::string& to : directed_) {
    ++open_;
    PresenceNotice notice;
    notice.from = session_->full();
    notice.epoch = session_->epoch();
    notice.to = xmpp::Jid::FromNormalized(to);
    notice.bytes = stanza_.bytes;
    notice.id = id_;
    // An own resource or a contact's is told by the broadcast as well: the same effect, so that it
    // is told once.
    notice.index = kEffectDelivery;
    TellUnavailable(&shard(), std::move(notice), [self = Me()] { self->OneDone(); });
  }
}

void OwnPresence::OneDone() {
  if (--open_ > 0 || Abandoned()) return;
  if (!available()) {
    session_->SendTicket();
    if (!directed_.empty()) ForgetSavedDirected(*session_);
  }
  Become(State::kFinished);
}

void OwnPresence::OnTryAgain() {
  if (state_ == State::kPreparing) {
    LookUp();
  } else {
    Become(State::kRetryWanted);
  }
}

void OwnPresence::Retry() {
  state_ = State::kPreparing;
  check = shard().guard->Require(session_->shared_from_this());
  LookUp();
}

void OwnPresence::Bounce(xmpp::StanzaError error) {
  // Nobody was told: they still are to be.
  session_->directed.insert(session_->directed.begin(), directed_.begin(), directed_.end());
  shard().metrics->CountError(error.condition);
  error_ = std::make_unique<xmpp::StanzaError>(std::move(error));
  Become(State::kReplyWanted);
}

void OwnPresence::Reply() {
  ReplyToSender(shared_from_this(), stanza_.kind,
                WriteError(stanza_.kind, stanza_.id, account().ToString(), *error_), id_);
}

}  // namespace business
