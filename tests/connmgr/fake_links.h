// The business tier as one loop's streams see it, with answers that a test chooses.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connmgr/business_links.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {

// Lives on its loop, as the real ones; answers in a later turn. Every account and password will do:
// <auth/> whose content is "no" fails, "more" is answered by a challenge.
class FakeLinks final : public BusinessLinks {
 public:
  explicit FakeLinks(runtime::EventLoop& loop) : loop_(loop) {}

  // What a test turns.
  bool answers = true;                  // Open and Negotiate are answered
  uint32_t window = 64;                 // stanzas
  bool ends = true;                     // Forget of a session is confirmed at once
  int live_links = 1;
  int draining_links = 0;

  // What a test looks at.
  std::vector<xylem::v1::Opened> opened;
  std::vector<xmpp::Stanza> submitted;
  std::vector<std::string> forgotten;  // reasons
  std::vector<bool> resumable;         // the same
  std::vector<uint32_t> confirmed;     // by <a/>
  uint32_t sent = 5;                   // stream management: stanzas, so that more cannot be confirmed
  bool managed = false;
  std::map<uint64_t, LinkClient*> clients;
  OnDomainsHandler tell_domains;

  void Start() override {}
  uint64_t Register(LinkClient* client) override {
    clients[++last_] = client;
    return last_;
  }
  void Forget(uint64_t connection, std::string_view reason, bool may_resume) override {
    clients.erase(connection);
    forgotten.emplace_back(reason);
    resumable.push_back(may_resume);
    unaccepted_.erase(connection);
    if (sessions_.erase(connection) != 0 && !ends) ++closing_;
  }

  void Open(uint64_t connection, xylem::v1::Opened o) override {
    xylem::v1::Negotiated answer;
    answer.set_outcome(xylem::v1::Negotiated::FEATURES);
    answer.set_features(o.ticket().empty()
                            ? "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
                              "<mechanism>PLAIN</mechanism></mechanisms>"
                            : "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>");
    opened.push_back(std::move(o));
    Answer(connection, std::move(answer));
  }

  void Negotiate(uint64_t connection, std::string_view element, std::string_view,
                 std::string_view name) override {
    xylem::v1::Negotiated answer;
    if (name == "bind") {
      answer.set_outcome(xylem::v1::Negotiated::BOUND);
      answer.set_jid("juliet@example.test/balcony");
      answer.set_reply("<iq type='result' id='b'/>");
      sessions_[connection] = true;
    } else if (name == "resume" && element.find("previd='gone'") == std::string_view::npos) {
      managed = true;
      answer.set_outcome(xylem::v1::Negotiated::BOUND);
      answer.set_jid("juliet@example.test/balcony");
      answer.set_reply("<resumed xmlns='urn:xmpp:sm:3' previd='x' h='3'/>");
      sessions_[connection] = true;
    } else if (name == "resume" || name == "enable") {
      answer.set_outcome(xylem::v1::Negotiated::CONTINUE);
      answer.set_reply("<failed xmlns='urn:xmpp:sm:3'/>");
    } else if (element.find(">more<") != std::string_view::npos) {
      answer.set_outcome(xylem::v1::Negotiated::CONTINUE);
      answer.set_reply("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    } else if (element.find(">no<") != std::string_view::npos) {
      answer.set_outcome(xylem::v1::Negotiated::FAILED);
      answer.set_reply("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
    } else {
      answer.set_outcome(xylem::v1::Negotiated::AUTHENTICATED);
      answer.set_account("juliet@example.test");
      answer.set_ticket("ticket");
      answer.set_reply("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    }
    Answer(connection, std::move(answer));
  }

  Window Submit(uint64_t connection, const xmpp::Stanza& stanza) override {
    submitted.push_back(stanza);
    return ++unaccepted_[connection] >= window ? Window::kFull : Window::kOpen;
  }
  bool MayEnable(uint64_t) const override { return !managed; }
  bool IsManaged(uint64_t) const override { return managed; }
  uint32_t HandledCount(uint64_t) const override { return 3; }
  void AnswerRequest(uint64_t connection) override {
    clients.at(connection)->OnNonza("<a xmlns='urn:xmpp:sm:3' h='3'/>");
  }
  std::optional<uint32_t> Confirm(uint64_t, uint32_t h) override {
    confirmed.push_back(h);
    return h > sent ? std::optional(sent) : std::nullopt;
  }
  uint32_t Unaccepted(uint64_t connection) const override {
    const auto found = unaccepted_.find(connection);
    return found == unaccepted_.end() ? 0 : found->second;
  }
  uint64_t UnacceptedTotal() const override {
    uint64_t sum = 0;
    for (const auto& [connection, count] : unaccepted_) sum += count;
    return sum;
  }
  int live() const override { return live_links; }
  int up() const override { return live_links + draining_links; }
  uint64_t sessions() const override { return sessions_.size(); }
  uint64_t closing() const override { return closing_; }
  void OnDrainOrder(absl::AnyInvocable<void(bool)>) override {}
  void OnDomains(OnDomainsHandler handler) override { tell_domains = std::move(handler); }
  Stats stats() const override { return {.frames_out = 3, .items_out = 12}; }

  // All that was submitted is accepted.
  void AcceptAll() {
    for (auto& [connection, count] : unaccepted_) {
      const bool was_full = count >= window;
      count = 0;
      if (was_full) clients.at(connection)->OnWindowOpen();
    }
  }
  void ConfirmEnds() { closing_ = 0; }

 private:
  void Answer(uint64_t connection, xylem::v1::Negotiated answer) {
    if (!answers) return;
    answer.set_connection(connection);
    loop_.Post([this, connection, answer = std::move(answer)] {
      const auto found = clients.find(connection);
      if (found != clients.end()) found->second->OnNegotiated(answer);
    });
  }

  runtime::EventLoop& loop_;
  uint64_t last_ = 0;
  uint64_t closing_ = 0;
  std::map<uint64_t, uint32_t> unaccepted_;
  std::map<uint64_t, bool> sessions_;
};

}  // namespace connmgr
