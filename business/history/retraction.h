// XEP-0424: Message Retraction 0.4. What was retracted leaves a tombstone in both archives.
#pragma once

#include "business/feature.h"
#include "lib/runtime/task.h"

namespace business {

struct Shard;

// What the server says of it; the work is done by MessageArchive.
Feature Retraction();

bool IsRetraction(const xmpp::Stanza& message);

// The sender's own message of that id, in the archives that keep the retraction. False: the store
// did not do it within some seconds; done again, it changes nothing twice.
runtime::Task<bool> Retract(Shard* shard, const StageEvent& event);

}  // namespace business
