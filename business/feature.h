// One XEP, one value: what a feature speaks, answers and takes part in. The dispatcher, disco,
// `--list-specs`, metrics and the manual read this declaration and nothing else.
#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/cluster/cluster_id.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"
#include "lib/xmpp/stanza_error.h"

namespace cluster {
struct SessionRecord;
}

namespace business {

class KeptMessage;
class Session;
template <typename T>
using Task = runtime::Task<T>;

// ---- iq: one route, one handler, one reply ----

enum class IqType : uint8_t { kGet, kSet };

enum class Addressee : uint8_t {
  kServer,      // a domain that this cluster serves
  kOwnAccount,  // no `to`, or the sender's own bare JID
  kAccount,     // somebody else's bare JID: answered by the server on the account's behalf
};

// A get or set that the cluster itself answers. Valid during the handler; the handler's copy is its
// own.
struct Iq {
  IqType type = IqType::kGet;
  std::string id;
  xmpp::Jid from;                    // full JID
  xmpp::Jid to;                      // the domain or the account's bare JID
  std::string language;              // of the stanza; may be empty
  std::string bytes;                 // canonical, without addresses
  std::shared_ptr<Session> session;  // the sender's, nullptr if it is not one of ours
  cluster::ClusterId cluster_id{};
  // It may have been done already, by a server that died before the sender was told: a second
  // "no such item" is then no error.
  bool repeated = false;

  // The one child element (RFC 6120 §8.2.3); the edge has checked that there is one.
  xmpp::Element Payload() const;
};

// What a handler returns: a result, empty or with one payload, or an error.
class IqReply {
 public:
  static IqReply Result() { return IqReply(std::nullopt); }
  static IqReply Result(xmpp::Element payload) { return IqReply(std::move(payload)); }
  IqReply(xmpp::StanzaError error) : value_(std::move(error)) {}  // NOLINT: converts

  const xmpp::StanzaError* error() const { return std::get_if<xmpp::StanzaError>(&value_); }
  const std::optional<xmpp::Element>& payload() const { return std::get<0>(value_); }

  // What follows the reply on its way to the client. Runs once the reply was issued, if it is.
  IqReply Then(std::function<void()> next) && {
    next_ = std::move(next);
    return std::move(*this);
  }
  const std::function<void()>& next() const { return next_; }

 private:
  explicit IqReply(std::optional<xmpp::Element> payload) : value_(std::move(payload)) {}
  std::variant<std::optional<xmpp::Element>, xmpp::StanzaError> value_;
  std::function<void()> next_;
};

using IqHandler = std::function<Task<IqReply>(Iq)>;

struct IqRoute {
  IqType type;
  std::string_view ns;
  std::string_view element;
  Addressee addressee;
  IqHandler handler;
};

// ---- stages: what a message or presence passes, and what happens to sessions ----

enum class Stage : uint8_t {
  kFromClient,   // a local session sent it, its `from` is set
  kFromOutside,  // a gateway or component brought it
  kToAccount,    // once per local account it goes to; may change the stanza
  kStore,        // if a message is to be kept: committed before anybody gets it
  kToResource,   // once per session it goes to; Handled = not to this one
  kNoResource,   // nobody is there to take it
  kSessionOpened,
  kPresenceChanged,  // the session's own availability, priority or status
  kSessionClosed,
};
inline constexpr size_t kStages = 9;

enum StanzaKinds : uint8_t {
  kMessages = 1 << 1,  // bit = xmpp::StanzaKind
  kPresences = 1 << 2,
  kIqs = 1 << 3,
  kSessions = 1 << 4,  // stages without a stanza
};

struct StageEvent {
  std::shared_ptr<Session> session;  // sender's, or whose session it is; nullptr from outside
  xmpp::Stanza* stanza = nullptr;    // nullptr in session stages
  const xmpp::Jid* from = nullptr;
  const xmpp::Jid* to = nullptr;
  const cluster::SessionRecord* resource = nullptr;  // kToResource
  cluster::ClusterId id{};
  // Set in kToAccount by who wants kStore to run; business/message/kept_message.h.
  std::shared_ptr<KeptMessage> kept;
};

struct Continue {};
struct Handled {};
using StageVerdict = std::variant<Continue, Handled, xmpp::StanzaError>;

using StageDone = absl::AnyInvocable<void(StageVerdict)>;

// One of `now`, `soon` and `later`. `soon` is for what every message passes: no coroutine. It
// throws nothing and calls `done` once; the event lives until then. kToResource takes `now` only:
// it runs for each session of each stanza.
struct StageHandler {
  Stage stage;
  uint8_t kinds;  // StanzaKinds
  std::function<StageVerdict(StageEvent&)> now;
  std::function<void(StageEvent&, StageDone)> soon;
  std::function<Task<StageVerdict>(StageEvent&)> later;
};

// ---- what it declares ----

struct Spec {
  int xep = 0;               // 0: see `rfc`
  std::string_view version;  // of the XEP
  int rfc = 0;
  bool partial = false;  // a part that is of use by itself
};

struct Identity {
  std::string_view category, type, name;
};

// What disco says of an entity because of this feature.
struct Disco {
  std::vector<std::string_view> server;   // features of the served domains
  std::vector<std::string_view> account;  // features of accounts, shown to who may see them
  std::vector<Identity> server_identities;
  std::vector<Identity> account_identities;
  std::vector<xmpp::Element> server_forms;  // XEP-0128
};

// Children of a disco answer, or why there is none.
using DiscoPart = std::variant<std::vector<xmpp::Element>, xmpp::StanzaError>;
// `node` empty: the address itself, and what is added to the declarations. nullopt: this feature
// says nothing about that node, or nothing to who asks.
using DiscoHandler = std::function<Task<std::optional<DiscoPart>>(Iq iq, std::string node)>;

// What disco says beyond the declarations: nodes (XEP-0030 §3.2, §4), items, forms (XEP-0128).
// Either handler may be empty. Somebody else's account (kAccount) is answered for only if a
// handler says something: else nobody learns whether it exists (§8).
struct DiscoExtension {
  Addressee addressee;
  DiscoHandler info;
  DiscoHandler items;
};

// A child of <stream:features/> once the stream is authenticated, with its namespace declared.
using StreamFeature = std::function<std::string()>;

struct Feature {
  std::string_view name;  // configuration section, log field, metric label
  std::vector<Spec> specs;
  std::vector<std::string_view> needs;  // names of features it cannot do without
  Disco disco;
  std::vector<DiscoExtension> disco_extensions;
  std::vector<StreamFeature> stream_features;
  std::vector<IqRoute> iqs;
  std::vector<StageHandler> stages;
  std::string_view config;  // key in proto/config/business.proto, if it has any
};

}  // namespace business
