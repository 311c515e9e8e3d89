// XEP-0115: Entity Capabilities 1.6. Learns from clients what the hashes in their presence stand
// for, verifies it (§5.4), and remembers which notifications they want.
#include "business/pep/entity_caps.h"

#include <utility>

#include "business/routing/server_request.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;

std::string KeyOf(const CapsId& caps, const cluster::SessionRecord& row) {
  std::string key = SharedCapsKey(caps);
  return key.empty() ? SessionCapsKey(caps, row.session) : key;
}

// {disco#info}query of a result; nullopt for anything else.
std::optional<xmpp::Element> QueryOf(const xmpp::Stanza* answer) {
  if (answer == nullptr || answer->type != xmpp::StanzaType::kResult) return std::nullopt;
  const auto root = xmpp::Element::Parse(answer->bytes);
  const xmpp::Element* query = root ? root->Find("query", ns::kDiscoInfo) : nullptr;
  if (query == nullptr) return std::nullopt;
  return *query;
}

}  // namespace

void CapsLearner::OnAvailable(std::shared_ptr<Session> session) {
  if (!std::exchange(listening_, true)) {
    shard_->requests->OnUnasked(ns::kDiscoInfo, [this](Session& who, const xmpp::Stanza& answer) {
      OnUnasked(who, answer);
    });
  }
  runtime::Spawn(Find(this, std::move(session)));
}

Task<void> CapsLearner::Find(CapsLearner* self, std::shared_ptr<Session> session) {
  const cluster::SessionRecord row = session->record;
  Interests known = self->cache_->Known(row);
  if (known == nullptr) {
    std::vector<cluster::SessionRecord> rows(1, row);
    co_await self->cache_->Load(std::move(rows));
    known = self->cache_->Known(row);
  }
  if (known != nullptr) {
    self->Tell(session, known);
    co_return;
  }
  const auto caps = CapsOf(row.presence);
  if (!caps) co_return;
  const std::string key = KeyOf(*caps, row);
  Waiting& waiting = self->waiting_[key];
  waiting.push_back(session);
  if (waiting.size() == 1) self->Ask(key);
}

void CapsLearner::Ask(const std::string& key) {
  for (;;) {
    const auto found = waiting_.find(key);
    if (found == waiting_.end()) return;
    if (found->second.empty()) {
      waiting_.erase(found);
      return;
    }
    std::shared_ptr<Session> session = found->second.front().lock();
    const auto caps = session ? CapsOf(session->record.presence) : std::nullopt;
    // He may have said something else in the meantime, and is asked for that then.
    if (session && !session->gone() && caps && KeyOf(*caps, session->record) == key) {
      xmpp::Element query("query", ns::kDiscoInfo);
      query.SetAttr("node", caps->NodeVer());
      const bool asked = shard_->requests->Get(
          *session, query.Write(),
          [this, key, session, caps = *caps](const xmpp::Stanza* answer) {
            OnAnswer(key, session, caps, answer);
          });
      if (asked) return;
      waiting_.erase(found);  // too many questions: their next presence may ask again
      return;
    }
    found->second.erase(found->second.begin());
  }
}

void CapsLearner::OnAnswer(const std::string& key, const std::shared_ptr<Session>& asked,
                           const CapsId& caps, const xmpp::Stanza* answer) {
  const auto query = QueryOf(answer);
  Interests learnt;
  if (query) learnt = cache_->Learn(asked->record, caps, *query);
  const auto found = waiting_.find(key);
  if (found == waiting_.end()) return;
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  std::erase_if(waiting, [&](const std::weak_ptr<Session>& one) { return one.lock() == asked; });
  if (learnt) Tell(asked, learnt);
  if (waiting.empty()) return;
  if (learnt && CheckCaps(caps, *query) == CapsCheck::kVerified) {
    for (const auto& one : waiting) {
      if (auto session = one.lock()) Tell(session, learnt);
    }
    return;
  }
  // §5.4: what one could not prove another one may.
  waiting_[key] = std::move(waiting);
  Ask(key);
}

// Asked for by the session's home before this one.
void CapsLearner::OnUnasked(Session& session, const xmpp::Stanza& answer) {
  const auto query = QueryOf(&answer);
  const auto caps = CapsOf(session.record.presence);
  if (!query || !caps || query->Attr("node") != caps->NodeVer()) return;
  const Interests learnt = cache_->Learn(session.record, *caps, *query);
  if (learnt) Tell(session.shared_from_this(), learnt);
}

void CapsLearner::Tell(const std::shared_ptr<Session>& session, const Interests& interests) {
  if (on_known_ && !session->gone() && session->record.available) on_known_(session, interests);
}

Feature EntityCaps(std::shared_ptr<CapsLearner> learner) {
  Feature feature;
  feature.name = "entity_caps";
  feature.specs = {{.xep = 115, .version = "1.6.0"}};
  feature.disco.server = {ns::kCaps};
  StageHandler changed;
  changed.stage = Stage::kPresenceChanged;
  changed.kinds = kSessions;
  changed.now = [learner](StageEvent& event) -> StageVerdict {
    if (event.session && event.session->record.available) learner->OnAvailable(event.session);
    return Continue{};
  };
  feature.stages.push_back(std::move(changed));
  return feature;
}

}  // namespace business
