// A loop's links and the sessions that live on them: the implementation of BusinessLinks.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connmgr/business_discovery.h"
#include "connmgr/business_link.h"
#include "connmgr/business_links.h"
#include "connmgr/effect_ring.h"
#include "connmgr/link_session.h"
#include "connmgr/token_bucket.h"

namespace xylem::v1 {
class Control;
class Control_Gap;
class Hello;
class Resumed;
}  // namespace xylem::v1

namespace connmgr {

// Lives on its loop, destroyed there; may be made anywhere.
//
//   link_set.cc              what streams ask for
//   link_set_negotiation.cc  connections before bind
//   link_set_homes.cc        links come and go, sessions follow
//   link_set_items.cc        what business servers say
//   link_set_management.cc   stream management
class LinkSet final : public BusinessLinks, private BusinessLinkEvents {
 public:
  LinkSet(runtime::EventLoop* loop, Options options);
  ~LinkSet() override;

  void Start() override;
  uint64_t Register(LinkClient* client) override;
  void Forget(uint64_t connection, std::string_view reason, bool resumable) override;
  void Open(uint64_t connection, xylem::v1::Opened opened) override;
  void Negotiate(uint64_t connection, std::string_view element, std::string_view ns,
                 std::string_view name) override;
  Window Submit(uint64_t connection, const xmpp::Stanza& stanza) override;
  bool MayEnable(uint64_t connection) const override;
  bool IsManaged(uint64_t connection) const override;
  uint32_t HandledCount(uint64_t connection) const override;
  void AnswerRequest(uint64_t connection) override;
  std::optional<uint32_t> Confirm(uint64_t connection, uint32_t h) override;
  uint32_t Unaccepted(uint64_t connection) const override;
  uint64_t UnacceptedTotal() const override { return unaccepted_; }
  int live() const override { return static_cast<int>(usable_.size()); }
  int up() const override;
  uint64_t sessions() const override { return bound_; }
  uint64_t closing() const override { return closing_; }
  void OnDrainOrder(absl::AnyInvocable<void(bool undrain)> handler) override {
    on_drain_order_ = std::move(handler);
  }
  void OnDomains(OnDomainsHandler handler) override { on_domains_ = std::move(handler); }
  Stats stats() const override;

 private:
  // A member that calls a method of its owner when its time has come.
  template <void (LinkSet::*Method)()>
  struct Alarm final : runtime::Timer {
    explicit Alarm(LinkSet* s)
        : Timer([](Timer* timer) { (static_cast<Alarm*>(timer)->set->*Method)(); }), set(s) {}
    LinkSet* const set;
  };
  struct AnnounceEnd final : runtime::TurnEnd {
    explicit AnnounceEnd(LinkSet* s)
        : TurnEnd([](TurnEnd* end) { static_cast<AnnounceEnd*>(end)->set->AnnounceWhatFits(); }),
          set(s) {}
    LinkSet* const set;
  };
  struct ClosingRepeat {
    uint64_t connection;
    uint64_t due_ms;
  };

  LinkSession* Find(uint64_t connection) const;
  void Erase(LinkSession* session);
  void RepeatClosed();
  void CloseAtHome(LinkSession* session);

  // BusinessLinkEvents
  xylem::v1::Hello OwnHello() override;
  void OnLinkUp(BusinessLink* link, const xylem::v1::Hello& hello) override;
  void OnLinkDown(BusinessLink* link, bool was_up) override;
  bool OnItem(BusinessLink* link, int field, std::string_view item) override;
  void OnLinkRoom(BusinessLink* link) override;

  // link_set_negotiation.cc
  BusinessLink* OpenAt(LinkSession* session, BusinessLink* link);
  void SendWaiting(LinkSession* session);
  void OnNegotiated(BusinessLink* link, std::string_view item, bool* ok);
  void Bound(LinkSession* session, BusinessLink* link, const xylem::v1::Negotiated& answer);
  void GoOn(LinkSession* session, const xylem::v1::Resumed& resumed);
  void EndUnclaimed(BusinessLink* link, const xylem::v1::Negotiated& answer);

  // link_set_homes.cc
  void OnDiscovered(const std::vector<BusinessAddress>& addresses);
  void RefreshUsable();
  std::string HomeKey(const LinkSession& session) const;
  BusinessLink* ChooseHome(const LinkSession& session) const;
  void SetHome(LinkSession* session, BusinessLink* link);
  void Move(LinkSession* session, BusinessLink* to);
  void MoveIfQuiet(LinkSession* session);
  void Resettle();
  void AnnounceAgain(LinkSession* session);
  void NoteGeneration(uint64_t generation);
  void NoteDomains();
  void AnnounceWhatFits();
  void FillLink(BusinessLink* link);
  void Attach(LinkSession* session);
  void Resubmit(LinkSession* session, uint64_t from);
  void ScheduleSweep();
  void Sweep();
  bool storm() const;
  void GiveUpClosing();

  // link_set_items.cc
  bool OnAccepted(BusinessLink* link, std::string_view item);
  bool OnDeliver(BusinessLink* link, std::string_view item);
  TakenOutcome DeliverTo(std::string_view target, std::string_view body, uint32_t splice_offset,
                         bool* ok);
  // link_set_management.cc
  struct Pushed {
    std::string_view body;
    uint32_t splice_offset;
    std::string_view to;
    size_t size() const { return body.size() + to.size(); }
  };
  TakenOutcome DeliverUnnumbered(LinkSession* session, std::string_view body);
  TakenOutcome DeliverNumbered(LinkSession* session, uint64_t generation, uint64_t out_seq,
                               const Pushed& pushed);
  static bool Fits(const LinkSession& session, size_t size);
  bool WriteNumbered(LinkSession* session, const Pushed& pushed);
  void WriteHeld(LinkSession* session);
  void Ask(LinkSession* session);
  void AskLate();
  void LookSoon(LinkSession* session);
  void LookAtGaps();
  void PullNow(LinkSession* session);
  void PullOrLook(LinkSession* session);
  void DoubtHints();
  void PullAll();
  void AnswerIfDue(LinkSession* session);

  bool OnTicket(BusinessLink* link, std::string_view item);
  bool OnEnded(std::string_view item);
  bool OnControl(BusinessLink* link, std::string_view item);
  void OnGap(BusinessLink* link, const xylem::v1::Control_Gap& gap);
  void OnFenced(BusinessLink* link, uint64_t connection, uint64_t epoch);
  void OnDraining(BusinessLink* link, bool undrain);
  void EndOver(LinkSession* session, xmpp::StreamError error);

  runtime::EventLoop* const loop_;
  const Options options_;
  runtime::LinkCounters link_counters_;
  const std::unique_ptr<runtime::RpcClient> client_;
  std::vector<std::unique_ptr<BusinessLink>> links_;
  BusinessDiscovery discovery_;

  // Up and not draining; names in the same order.
  std::vector<BusinessLink*> usable_;
  std::vector<std::string> usable_names_;
  uint64_t dead_since_ms_ = 0;  // no link is up; 0 = one is

  absl::flat_hash_map<uint64_t, std::unique_ptr<LinkSession>> sessions_;
  uint64_t next_number_ = 0;
  uint64_t bound_ = 0, closing_ = 0, unaccepted_ = 0;
  std::deque<ClosingRepeat> closing_repeats_;
  EffectRing effects_;
  uint64_t generation_ = 0;
  Stats stats_;
  absl::AnyInvocable<void(bool)> on_drain_order_;
  OnDomainsHandler on_domains_;
  std::vector<std::string> domains_;  // told to on_domains_

  // Sessions that go back to the server they prefer, at leisure.
  std::vector<uint64_t> sweep_;
  TokenBucket moves_;
  uint64_t storm_until_ms_ = 0;

  // Stream management: who is to be asked for <a/>, and who may miss something.
  std::vector<uint64_t> to_ask_, to_look_;

  Alarm<&LinkSet::AskLate> ask_alarm_{this};
  Alarm<&LinkSet::LookAtGaps> look_alarm_{this};
  Alarm<&LinkSet::PullAll> doubt_alarm_{this};
  AnnounceEnd announce_end_{this};
  Alarm<&LinkSet::RepeatClosed> repeat_alarm_{this};
  Alarm<&LinkSet::Sweep> sweep_alarm_{this};
  Alarm<&LinkSet::GiveUpClosing> give_up_alarm_{this};
};

}  // namespace connmgr
