// The features of the list on a business loop over a real Redis and a store, asked by sessions.
#pragma once

#include <string>

#include "business/auth/account_admin.h"
#include "business/auth/password_workers.h"
#include "business/features/feature_list.h"
#include "business/routing/feature_set.h"
#include "business/routing/server_request.h"
#include "tests/business/presence/presence_fixture.h"

namespace business {

class FeatureLoop : public PresenceWorld {
 public:
  explicit FeatureLoop(const std::string& redis_address, ServiceOptions service = {},
                       HistoryOptions history = {})
      : PresenceWorld(redis_address) {
    redis.Run([&] {
      shard.redis = redis.client();
      shard.requests = &requests;
      admin = std::make_unique<AccountAdmin>(
          &redis.loop(), stores->accounts.get(), registry.get(), &workers,
          AccountAdmin::Options{.domains = shard.domains, .scram_iterations = 4096});
      shard.accounts = admin.get();
      listed = std::make_unique<FeatureSet>(
          AllFeatures({.shard = &shard,
                       .history = history,
                       .service = service,
                       .command_sealer = std::make_shared<const cluster::TicketSealer>(
                           std::vector<std::string>{"0123456789abcdef0123456789abcdeX"})}));
      shard.features = listed.get();
    });
  }

  // `payload`: the one child, canonical, with a declared namespace. Waits until it is answered.
  void Iq(const SessionPtr& session, xmpp::StanzaType type, const std::string& id,
          const std::string& to, const std::string& payload) {
    const auto element = xmpp::Element::Parse("<iq>" + payload + "</iq>");
    ASSERT_TRUE(element && element->FirstChild() != nullptr) << payload;
    xmpp::Stanza stanza;
    stanza.kind = xmpp::StanzaKind::kIq;
    stanza.type = type;
    stanza.id = id;
    stanza.to = to;
    stanza.payload_ns = element->FirstChild()->ns();
    stanza.payload_name = element->FirstChild()->name();
    stanza.bytes =
        "<iq type='" + std::string(xmpp::TypeName(type)) + "' id='" + id + "'>" + payload + "</iq>";
    Submit(session, std::move(stanza));
  }
  void Message(const SessionPtr& session, const std::string& to, const std::string& text) {
    xmpp::Stanza stanza;
    stanza.kind = xmpp::StanzaKind::kMessage;
    stanza.type = xmpp::StanzaType::kChat;
    stanza.to = to;
    stanza.flags = xmpp::kHasBody;
    stanza.bytes = "<message type='chat'><body>" + text + "</body></message>";
    Submit(session, std::move(stanza));
  }
  // Everything that was delivered because of `payload`.
  std::vector<std::string> Ask(const SessionPtr& session, xmpp::StanzaType type,
                               const std::string& to, const std::string& payload) {
    Take();
    Iq(session, type, "q" + std::to_string(++asked_), to, payload);
    return Take();
  }
  void Submit(const SessionPtr& session, xmpp::Stanza stanza) {
    redis.Run([&] { dispatcher->Submit(session, session->queue.next(), std::move(stanza)); });
    Settle(session);
  }

  std::unique_ptr<FeatureSet> listed;
  ServerRequests requests{&shard};
  PasswordWorkers workers{1, 16};
  std::unique_ptr<AccountAdmin> admin;

 private:
  int asked_ = 0;
};

}  // namespace business
