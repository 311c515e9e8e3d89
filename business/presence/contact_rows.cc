#include "business/presence/contact_rows.h"

#include <chrono>
#include <memory>
#include <utility>

#include "business/session/shard.h"

namespace business {
namespace {

constexpr std::chrono::milliseconds kPause{100};

struct Reading : std::enable_shared_from_this<Reading> {
  Shard* shard;
  std::vector<ContactRows> contacts;
  absl::AnyInvocable<void(std::vector<ContactRows>)> done;
  uint64_t started_ms;
  size_t open = 0;

  void Ask() {
    open = 1;
    for (ContactRows& contact : contacts) {
      if (contact.rows) continue;
      ++open;
      shard->registry->Lookup(contact.account,
                              [self = shared_from_this(), &contact](auto rows) {
                                if (rows) contact.rows = *std::move(rows);
                                self->One();
                              });
    }
    One();
  }
  void One() {
    if (--open > 0) return;
    bool all = true;
    for (const ContactRows& contact : contacts) all = all && contact.rows;
    if (all || shard->loop->NowMs() - started_ms >= kContactRowsDeadlineMs) {
      std::exchange(done, nullptr)(std::move(contacts));
      return;
    }
    shard->metrics->retries.Add();
    shard->loop->RunAfter(kPause, [self = shared_from_this()] { self->Ask(); });
  }
};

}  // namespace

void LookUpContacts(Shard* shard, std::vector<xmpp::BareJid> accounts,
                    absl::AnyInvocable<void(std::vector<ContactRows>)> done) {
  auto reading = std::make_shared<Reading>();
  reading->shard = shard;
  reading->contacts.reserve(accounts.size());
  for (xmpp::BareJid& account : accounts) {
    reading->contacts.push_back({std::move(account), std::nullopt});
  }
  reading->done = std::move(done);
  reading->started_ms = shard->loop->NowMs();
  reading->Ask();
}

}  // namespace business
