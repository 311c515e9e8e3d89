// Hears what managers say before the session service does: who is linked is the process's business,
// too.
#pragma once

#include <functional>

#include "business/link/manager_links.h"

namespace business {

// Lives on its loop.
class LinkObserver final : public ManagerEvents {
 public:
  // `on_change` is called on the loop with each link that comes or goes.
  using OnChange = std::function<void(const ManagerLink& link, bool up)>;
  LinkObserver(ManagerEvents* next, OnChange on_change)
      : next_(next), on_change_(std::move(on_change)) {}

  void OnOpened(const ManagerLinkPtr& link, const xylem::v1::Opened& opened) override {
    next_->OnOpened(link, opened);
  }
  void OnNegotiate(const ManagerLinkPtr& link, const xylem::v1::Negotiate& element) override {
    next_->OnNegotiate(link, element);
  }
  void OnSubmit(const ManagerLinkPtr& link, xylem::v1::Submit& submit) override {
    next_->OnSubmit(link, submit);
  }
  void OnPull(const ManagerLinkPtr& link, const xylem::v1::Pull& pull) override {
    next_->OnPull(link, pull);
  }
  void OnClientAck(const ManagerLinkPtr& link, const xylem::v1::ClientAck& ack) override {
    next_->OnClientAck(link, ack);
  }
  void OnAnnounce(const ManagerLinkPtr& link, const xylem::v1::Announce& announce) override {
    next_->OnAnnounce(link, announce);
  }
  void OnClosed(const ManagerLinkPtr& link, const xylem::v1::Closed& closed) override {
    next_->OnClosed(link, closed);
  }
  void OnMoved(const ManagerLinkPtr& link, const xylem::v1::Moved& moved) override {
    next_->OnMoved(link, moved);
  }
  void OnLinkUp(const ManagerLinkPtr& link) override {
    on_change_(*link, true);
    next_->OnLinkUp(link);
  }
  void OnLinkDown(const ManagerLinkPtr& link) override {
    on_change_(*link, false);
    next_->OnLinkDown(link);
  }

 private:
  ManagerEvents* const next_;
  const OnChange on_change_;
};

}  // namespace business
