// Many stanzas that were kept for one session whose home is here, in order.
#pragma once

#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "business/session/session.h"
#include "lib/runtime/task.h"

namespace business {

struct StoredDelivery {
  DeliverBody body;
  std::string to;
  std::string effect;  // cluster::EffectId
};

// By delivery: the session's manager has taken it, or its outbox has it. Also comes back if the
// session is gone meanwhile, or when nobody answered for half a minute.
runtime::Task<std::vector<bool>> DeliverStored(SessionPtr session,
                                               std::vector<StoredDelivery> deliveries);

}  // namespace business
