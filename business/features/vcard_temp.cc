// XEP-0054: vcard-temp 1.3. Keeps an account's vCard, which everybody may read.
#include "business/features/vcard_temp.h"

#include <optional>
#include <string>
#include <utility>

#include "business/features/store_trouble.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using xmpp::Element;
using xmpp::StanzaError;

Task<IqReply> Get(Shard* shard, Iq iq, StanzaError missing) {
  Result<std::optional<std::string>> found =
      co_await shard->stores->account_data->Find(iq.to, DataType::kVcard, "");
  if (!found) co_return StoreTrouble(found.error());
  std::optional<Element> card;
  if (*found) card = Element::Parse(**found);
  if (!card) co_return missing;
  co_return IqReply::Result(*std::move(card));
}

Task<IqReply> Set(Shard* shard, VcardWritten written, Iq iq) {
  DataChange change;
  change.put.push_back({.key = "", .value = iq.Payload().Write()});
  if (change.put[0].value.size() > kMaxVcard) {
    co_return StanzaError::PolicyViolation("the vCard is too big");
  }
  Result<DataChanged> changed = co_await shard->stores->account_data->Change(
      *xmpp::BareJid::From(iq.from), DataType::kVcard, std::move(change));
  if (!changed) co_return StoreTrouble(changed.error());
  if (changed->outcome != DataChanged::Outcome::kDone) co_return StanzaError::ItemNotFound();
  if (written) {
    const Result<void> followed = co_await written(iq, iq.Payload());
    if (!followed) co_return StoreTrouble(followed.error());
  }
  co_return IqReply::Result();
}

Task<IqReply> Forbidden(Iq) { co_return StanzaError::Forbidden(); }

}  // namespace

Feature VcardTemp(Shard* shard, VcardWritten written) {
  Feature feature;
  feature.name = "vcard_temp";
  feature.specs = {{.xep = 54, .version = "1.3"}};
  feature.disco.server = {ns::kVcardTemp};
  feature.disco.account = {ns::kVcardTemp};
  feature.iqs = {
      {IqType::kGet, ns::kVcardTemp, "vCard", Addressee::kOwnAccount,
       [shard](Iq iq) { return Get(shard, std::move(iq), StanzaError::ItemNotFound()); }},
      {IqType::kSet, ns::kVcardTemp, "vCard", Addressee::kOwnAccount,
       [shard, written](Iq iq) { return Set(shard, written, std::move(iq)); }},
      // §3.3: the same for who does not exist and for who has none.
      {IqType::kGet, ns::kVcardTemp, "vCard", Addressee::kAccount,
       [shard](Iq iq) { return Get(shard, std::move(iq), StanzaError::ServiceUnavailable()); }},
      {IqType::kSet, ns::kVcardTemp, "vCard", Addressee::kAccount, Forbidden},
  };
  return feature;
}

}  // namespace business
