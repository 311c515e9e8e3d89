// What the registry has Redis do in one step. Each script touches the keys of one account only.
#pragma once

#include "lib/runtime/redis_client.h"

namespace cluster {

// Numbers of 64 bits travel as hexadecimal text of fixed width and are compared as text: Lua's
// doubles would round them.

// A row of a session with stream management that is replaced or ended goes to `ending` in the same
// step, until its outbox was dealt with (outbox_scripts.h).

// KEYS sessions, epoch, done, ending. ARGV resource, session, generation (6 hex digits), most
// resources, replace ("1"/"0"), row between epoch and <announced generation>, its <announced
// generation>, row behind it. → {"bound", row, replaced row or "", resource, session, … in ending}
// | {"conflict", row} | {"full"} | {"stale"}
extern const runtime::RedisScript kBindScript;

// KEYS sessions. ARGV resource, owner text, session, announced generation, presence number, rest.
// → 1 done, 0 fenced
extern const runtime::RedisScript kUpdateScript;

// KEYS sessions, done, ending. ARGV resource, owner text. → row removed, or nil
extern const runtime::RedisScript kEndScript;

// KEYS sessions, epoch. ARGV resource, owner text, session, announced generation, presence number,
// rest, epoch. → {"done" | "fenced", row that stands}
extern const runtime::RedisScript kAnnounceScript;

// KEYS sessions, done, ending. ARGV manager word, incarnation, generation, key of sessions' `sm`
// without the session: ends that manager's rows, with a generation only those announced under an
// older one; those that can be resumed are hibernated instead. → {resource, row, resource, row …}
// ended, {resource, session, deadline, …} hibernated
extern const runtime::RedisScript kEndAllScript;

// KEYS version. → the new version, as text
extern const runtime::RedisScript kRaiseVersionScript;

}  // namespace cluster
