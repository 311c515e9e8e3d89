#include "business/routing/server_stanza.h"

#include <utility>

#include "business/session/shard.h"

namespace business {
namespace {

class ServerStanzaDelivery final : public AccountDelivery,
                                   public std::enable_shared_from_this<ServerStanzaDelivery> {
 public:
  ServerStanzaDelivery(Shard* shard, xmpp::BareJid account, ServerStanza stanza,
                       ServerStanzaDone done)
      : AccountDelivery(shard, std::move(account)),
        stanza_(std::move(stanza)),
        done_(std::move(done)) {}

  void Start() { LookUp(); }

 protected:
  std::shared_ptr<AccountDelivery> Self() override { return shared_from_this(); }
  Recipients Choose(const std::vector<cluster::SessionRecord>& rows) override {
    if (stanza_.choose) return stanza_.choose(rows);
    return ChooseRecipients(stanza_.kind, stanza_.type, stanza_.to.resource(), rows);
  }
  DeliverBody Body() override {
    DeliverBody body;
    body.bytes = xmpp::WithAddresses(stanza_.bytes, stanza_.kind, stanza_.from, {});
    body.splice_offset = xmpp::SpliceOffset(stanza_.kind);
    body.kind = static_cast<uint8_t>(stanza_.kind);
    body.stanza_class = stanza_.stanza_class;
    body.flags = stanza_.flags;
    return body;
  }
  const std::string& WrittenTo() const override { return stanza_.to.ToString(); }
  std::string WrittenToRow(const cluster::SessionRecord& row) const override {
    if (!stanza_.to_resources) return stanza_.to.ToString();
    return account().ToString() + "/" + row.resource;
  }
  const cluster::ClusterId& Id() const override { return stanza_.id; }
  EffectIndex Index() const override { return stanza_.index; }
  bool Abandoned() const override { return false; }
  void OnLookedUp() override { Send(); }
  void OnTryAgain() override { LookUp(); }
  void OnDelivered(End end) override {
    if (end == End::kUndeliverable || end == End::kNoRegistry) {
      shard().metrics->CountDrop("server_stanza_undeliverable");
    }
    if (done_) std::exchange(done_, nullptr)(end);
  }

 private:
  const ServerStanza stanza_;
  ServerStanzaDone done_;
};

}  // namespace

void SendServerStanza(Shard* shard, ServerStanza stanza, ServerStanzaDone done) {
  auto account = xmpp::BareJid::From(stanza.to);
  if (!account || !shard->Serves(account->domain())) {
    if (done) done(AccountDelivery::End::kNobody);
    return;
  }
  std::make_shared<ServerStanzaDelivery>(shard, std::move(*account), std::move(stanza),
                                         std::move(done))
      ->Start();
}

}  // namespace business
