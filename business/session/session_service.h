// What managers say, on one loop: streams log in, sessions begin, are announced, submit and end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "business/link/manager_links.h"
#include "business/session/session.h"
#include "business/session/session_announcer.h"
#include "business/session/session_binder.h"
#include "business/session/session_ender.h"
#include "business/session/session_resumer.h"

namespace business {

class Authenticator;
class StanzaSink;
struct Shard;

// One per loop, lives on it.
class SessionService final : public ManagerEvents {
 public:
  struct Options {
    uint32_t max_resources = 50;
    bool replace = true;  // a resource that is bound already: replace the old session, or refuse
    // Children of <stream:features/> once a stream is authenticated, each with its namespace.
    std::function<std::string()> stream_features;
  };
  SessionService(Shard* shard, Authenticator* authenticator, StanzaSink* stanzas, Options options);
  ~SessionService() override;

  void OnOpened(const ManagerLinkPtr& link, const xylem::v1::Opened& opened) override;
  void OnNegotiate(const ManagerLinkPtr& link, const xylem::v1::Negotiate& element) override;
  void OnSubmit(const ManagerLinkPtr& link, xylem::v1::Submit& submit) override;
  void OnPull(const ManagerLinkPtr& link, const xylem::v1::Pull& pull) override;
  void OnClientAck(const ManagerLinkPtr& link, const xylem::v1::ClientAck& ack) override;
  void OnAnnounce(const ManagerLinkPtr& link, const xylem::v1::Announce& announce) override;
  void OnClosed(const ManagerLinkPtr& link, const xylem::v1::Closed& closed) override;
  void OnMoved(const ManagerLinkPtr& link, const xylem::v1::Moved& moved) override;
  void OnLinkUp(const ManagerLinkPtr& link) override;
  void OnLinkDown(const ManagerLinkPtr& link) override;

 private:
  void OpenAuthenticated(const ManagerLinkPtr& link, const xylem::v1::Opened& opened);
  void Take(const SessionPtr& session, xylem::v1::Submit& submit);
  void TellGap(const SessionPtr& session);
  runtime::Task<void> Pull(SessionPtr session, uint64_t from, uint32_t stanzas, uint32_t bytes);

  Shard* const shard_;
  Authenticator* const authenticator_;
  StanzaSink* const stanzas_;
  const Options options_;
  SessionEnder ender_;
  SessionBinder binder_;
  SessionResumer resumer_;
  SessionAnnouncer announcer_;
};

}  // namespace business
