// Every Redis key of the cluster. All keys of one account carry its hash tag, so that one script
// can touch them in a Redis Cluster.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace cluster {

// base32 (lower case, no padding, 26 characters) of the first 128 bits of SHA-256 of the normalised
// bare JID: a localpart may hold braces, this cannot.
std::string AccountTag(std::string_view bare_jid);

// x:{tag}:sessions – hash: resource → SessionRecord::Write
std::string SessionsKey(std::string_view tag);
// x:{tag}:epoch – counter behind the generation, raised by bind, take-over, resumption
std::string EpochKey(std::string_view tag);
// x:{tag}:done – hash, two minutes: what was lately replaced or ended, so that a call repeated
// after an unknown outcome gets the answer of the first (R4)
std::string DoneKey(std::string_view tag);
// x:{tag}:ver – account data version (R13)
std::string VersionKey(std::string_view tag);
// x:{tag}:directed – hash: session hex → JIDs that it has shown directed presence, by line
std::string DirectedKey(std::string_view tag);
// x:{tag}:last – "<ms since the epoch>\n<stanza>": the newest unavailable presence
std::string LastPresenceKey(std::string_view tag);
// Of a session with stream management (outbox_scripts.h says what is in them):
// x:{tag}:out:<session hex> – list: what its client has not confirmed
std::string OutboxKey(std::string_view tag, std::string_view session_hex);
// x:{tag}:sm:<session hex> – hash: its numbers
std::string OutboxStateKey(std::string_view tag, std::string_view session_hex);
// x:{tag}:shown:<session hex> – hash: presence it has not confirmed, by sender
std::string OutboxShownKey(std::string_view tag, std::string_view session_hex);
// x:{tag}:seen:<origin hex> – sorted set: effects of an origin on this account's outboxes (R2)
std::string SeenKey(std::string_view tag, std::string_view origin_hex);
// x:{tag}:ending – hash: session hex → "<resource>\n<row>" whose outbox is still to be dealt with
std::string EndingKey(std::string_view tag);
// x:{tag}:was – hash, a day: SM id → h of a session that is over
std::string WasKey(std::string_view tag);
// x:due:<bucket> – sorted set: hibernated and ended sessions, by when to look at them (ms since the
// epoch); a hint, the account's keys decide
constexpr int kDueBuckets = 16;
std::string DueKey(int bucket);
// x:{tag}:pub – version of the account's nodes and items (PEP): a word that never comes again
std::string PubsubVersionKey(std::string_view tag);
// x:{c:<tag of `what`>}:caps – what clients with these capabilities want to be notified of;
// `what`: a hash, or a session and what it says of itself
std::string CapsKey(std::string_view what);
// x:{r:<tag of the address>}:registrations – counter of the accounts made from a network address
std::string RegistrationsKey(std::string_view address);
// x:{m:<manager>.<incarnation hex>}:lease – string with time to live
std::string ManagerLeaseKey(std::string_view manager, uint64_t incarnation);
// x:{m:<manager>.<incarnation hex>}:accounts – set of bare JIDs; written before bind, so a superset
std::string ManagerAccountsKey(std::string_view manager, uint64_t incarnation);
// x:{m:<manager>.<incarnation hex>}:reaper – who reaps it
std::string ManagerReaperKey(std::string_view manager, uint64_t incarnation);
// x:{m:<manager>.<incarnation hex>}:swept – generation whose left-overs were ended
std::string ManagerSweptKey(std::string_view manager, uint64_t incarnation);
// x:managers – hash: "<manager>.<incarnation hex>" → first seen (ms since the epoch); what to reap
std::string ManagersKey();
// x:draining – hash: "<manager>.<incarnation hex>" → when an operator ordered its drain (ms since
// the epoch)
std::string DrainingKey();
// "<manager>.<incarnation hex>", and back
std::string ManagerField(std::string_view manager, uint64_t incarnation);
std::optional<std::pair<std::string, uint64_t>> ParseManagerField(std::string_view field);
// x:{b:<business server>}:lease – string with time to live
std::string BusinessLeaseKey(std::string_view business);
// x:businesses – set: business servers that have or had a lease
std::string BusinessesKey();
// x:{node tag}:generation – marker: "<generation> <replication id> <token>" on each master
std::string GenerationKey(std::string_view node_tag);

}  // namespace cluster
