// What outboxes have Redis do in one step. Each script touches the keys of one account only.
#pragma once

#include <string>

#include "lib/runtime/redis_client.h"

namespace cluster {

// Keys of one session, as the scripts name them:
//   out    list of entries; the first one has the number `t` + 1, so every number has an entry
//   sm     hash: i committed in_seq · ib in_seq of <enable/> · t last number the client has
//          confirmed · b bytes held · m resumption time in ms, 0 = cannot be resumed ·
//          d deadline in Redis' ms, while hibernated · n raised when entries were lost
//   shown  hash: from → "<number of the newest entry> <body>" of class V
// An entry is "<class><kind> <flags> <stamp> <effect, hex> <others> <to>\n<body>"; of class V the
// body is only the `from`. Numbers stay below 2^53, where Lua's are exact.

// Functions that other scripts begin with: flags of a row, and moving one of a session with stream
// management to `ending`, where it stays until its outbox was dealt with.
const std::string& RowFunctions();

// `seen` of an origin, scored by the origin's number: effect and session (and n) for what a session
// got; effect alone if somebody of the account did; the empty member for what the origin committed.

// KEYS sessions, seen of the origin, seen of the server, then out, sm, shown of each target. ARGV
// effect, class, from (class V), entry's front, body, number in the origin, committed of the origin,
// ms to remember, most entries, most bytes, "server", "again" or "", newest generation (16 hex
// digits), then resource, session, "<others> <to>" of each target. → for each target: word ("ok",
// "full", "seen", "gone", "over"), number
extern const runtime::RedisScript kAppendScript;

// KEYS seen of the origin, seen of the server. ARGV effect, number in the origin. → 1 the account
// had it, or it comes too late
extern const runtime::RedisScript kSeenScript;

// KEYS sessions, out, sm, shown. ARGV resource, owner text, committed in_seq or "", confirmed
// number or "". → 1 done, 0 fenced, 2 no outbox
extern const runtime::RedisScript kCommitScript;

// KEYS sessions, sm. ARGV resource, owner text, in_seq, ms. → 1 done (again), 0 fenced
extern const runtime::RedisScript kEnableScript;

// KEYS sessions, sm. ARGV resource, owner text. → {1, deadline} | {0} fenced | {2} not resumable
extern const runtime::RedisScript kHibernateScript;

// KEYS sessions, epoch, out, sm, shown, directed. ARGV resource, session, generation (6 hex digits),
// new owner from the manager on, h, announced generation. → {"resumed", row, row before, committed,
// base, confirmed, entries, directed, ms of resumption} | {"gone"} | {"high", last} | {"low",
// confirmed} | {"stale"}
extern const runtime::RedisScript kResumeScript;

// KEYS sessions, sm, out, shown. ARGV resource, owner text, accepted, written, base, ms.
// → {1, committed, last} | {0} fenced
extern const runtime::RedisScript kAnnounceOutboxScript;

// KEYS sessions, out, sm, shown. ARGV resource, owner text, from, entries, bytes.
// → {1, last, entry, body of class V or "", …} from number `from` on | {0} fenced
extern const runtime::RedisScript kPullScript;

// KEYS sessions, sm, ending. ARGV resource, session, now ("1": whatever its state). → {"ended",
// resource, row} (also if it was before, and its outbox is still there) | {"later", ms
// left} | {"none"}
extern const runtime::RedisScript kExpireScript;

// KEYS ending, out, sm, shown, was. ARGV session, SM id. Forgets an ended session's outbox.
extern const runtime::RedisScript kForgetOutboxScript;

// KEYS bucket. ARGV now, lease, most. → member, member … each put off by the lease
extern const runtime::RedisScript kTakeDueScript;
// KEYS bucket. ARGV member, lease end. Removes it unless it was put there anew.
extern const runtime::RedisScript kDropDueScript;

}  // namespace cluster
