// Juliet and Romeo on a business loop that keeps their messages.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "lib/xmpp/namespaces.h"
#include "tests/business/features/feature_world.h"

namespace business {

inline constexpr char kJuliet[] = "juliet@example.org";
inline constexpr char kRomeo[] = "romeo@example.org";

class HistoryTest : public testing::Test {
 protected:
  explicit HistoryTest(HistoryOptions options = {}) : world_(server_.address(), {}, options) {}

  SessionPtr Available(const std::string& account, const std::string& resource, int priority = 0) {
    const SessionPtr session = world_.Bind(account, resource);
    BecomeAvailable(session, priority);
    return session;
  }
  void BecomeAvailable(const SessionPtr& session, int priority = 0) {
    world_.SendAndSettle(session, xmpp::StanzaType::kNone, "",
                         "><priority>" + std::to_string(priority) + "</priority></presence>",
                         xmpp::kHasPriority);
  }
  void BecomeUnavailable(const SessionPtr& session) {
    world_.SendAndSettle(session, xmpp::StanzaType::kUnavailable, "", " type='unavailable'/>");
  }

  // `content`: canonical children.
  xmpp::Stanza Message(const std::string& to, const std::string& id, const std::string& content,
                       xmpp::StanzaType type = xmpp::StanzaType::kChat) {
    xmpp::Stanza message;
    message.kind = xmpp::StanzaKind::kMessage;
    message.type = type;
    message.id = id;
    message.to = to;
    if (content.find("<body") != std::string::npos) message.flags |= xmpp::kHasBody;
    if (content.find("urn:xmpp:hints") != std::string::npos) message.flags |= xmpp::kHasHint;
    if (content.find("urn:xmpp:carbons:2") != std::string::npos) message.flags |= xmpp::kHasCarbon;
    if (content.find("chatstates") != std::string::npos) message.flags |= xmpp::kHasChatState;
    const bool normal = type == xmpp::StanzaType::kNormal;
    message.bytes = "<message" +
                    (normal ? "" : " type='" + std::string(xmpp::TypeName(type)) + "'") + " id='" +
                    id + "'>" + content + "</message>";
    return message;
  }
  // What was delivered because of it, to anybody: "<connection> <stanza>".
  std::vector<std::string> Say(const SessionPtr& from, xmpp::Stanza message) {
    world_.Take();
    world_.Submit(from, std::move(message));
    return world_.Take();
  }
  std::vector<std::string> Say(const SessionPtr& from, const std::string& to,
                               const std::string& id) {
    return Say(from, Message(to, id, "<body>" + id + "</body>"));
  }

  // `inner`: form and page.
  std::vector<std::string> Query(const SessionPtr& session, const std::string& inner = "") {
    return world_.Ask(session, xmpp::StanzaType::kSet, "",
                      "<query xmlns='urn:xmpp:mam:2'>" + inner + "</query>");
  }
  // The ids of the messages in an answer to Query, in order.
  static std::vector<std::string> Ids(const std::vector<std::string>& answer) {
    std::vector<std::string> ids;
    for (const std::string& one : answer) {
      const auto message = xmpp::Element::Parse(one.substr(one.find('<')));
      const xmpp::Element* result = message ? message->Find("result", xmpp::ns::kArchive) : nullptr;
      if (result == nullptr) continue;
      const xmpp::Element* forwarded = result->Find("forwarded", xmpp::ns::kForward);
      ids.emplace_back(forwarded->Find("message", xmpp::ns::kClient)->Attr("id"));
    }
    return ids;
  }
  std::vector<std::string> Archive(const SessionPtr& session) { return Ids(Query(session)); }
  static std::string Between(const std::string& text, const std::string& before,
                             const std::string& behind) {
    const size_t begin = text.find(before);
    if (begin == std::string::npos) return {};
    const size_t from = begin + before.size();
    return text.substr(from, text.find(behind, from) - from);
  }

  uint32_t Waiting(const std::string& account) {
    const auto jid = xmpp::BareJid::FromNormalized(account);
    auto count = world_.redis.Wait([&] { return world_.stores->offline->Count(jid); });
    return count.has_value() ? count->messages : 9999;
  }

  runtime::RedisServer server_;
  FeatureLoop world_;
};

}  // namespace business
