// The links' figures as Prometheus metrics.
#pragma once

#include "business/link/manager_links.h"

namespace business {

// xylem_business_link_*. `server` outlives the last scrape. Once a process.
void AddLinkMetrics(const LinkServer* server);

}  // namespace business
