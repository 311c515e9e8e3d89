// What the registry has Redis do in one step. Each script touches the keys of one account only.
#pragma once

#include "lib/runtime/redis_client.h"

namespace cluster {

// Numbers of 64 bits travel as hexadecimal text of fixed width and are compared as text: Lua's
// doubles would round them.

// KEYS sessions, epoch, done. ARGV resource, session, generation (6 hex digits), most resources,
// replace ("1"/"0"), row between epoch and <announced generation>, its <announced generation>, row
// behind it. → {"bound", row, replaced row or ""} | {"conflict", row} | {"full"} | {"stale"}
extern const runtime::RedisScript kBindScript;

// KEYS sessions. ARGV resource, owner text, session, announced generation, presence number, rest.
// → 1 done, 0 fenced
extern const runtime::RedisScript kUpdateScript;

// KEYS sessions, done. ARGV resource, owner text. → row removed, or nil
extern const runtime::RedisScript kEndScript;

// KEYS sessions, epoch. ARGV resource, owner text, session, announced generation, presence number,
// rest, epoch. → {"done" | "fenced", row that stands}
extern const runtime::RedisScript kAnnounceScript;

// KEYS sessions, done. ARGV manager word, incarnation, generation: ends that manager's rows, with a
// generation only those announced under an older one. → resource, row, resource, row …
extern const runtime::RedisScript kEndAllScript;

// KEYS version. → the new version, as text
extern const runtime::RedisScript kRaiseVersionScript;

}  // namespace cluster
