// Writes xylem.v1.Deliver and Accepted in wire format: the two items of the stanza path.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "business/link/manager_links.h"

namespace business {

// Into `head` everything of a Deliver up to the body's bytes, which come last and are not copied.
void WriteDeliverHead(uint64_t number, const DeliverBody& body,
                      const std::vector<DeliverTarget>& targets, std::string* head);

void WriteAccepted(uint64_t connection, cluster::Epoch epoch, uint64_t up_to, std::string* out);

}  // namespace business
