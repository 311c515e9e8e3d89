// What a session asked for, in its row and in its ticket: carbons, roster pushes, client state.
#pragma once

#include <cstdint>
#include <memory>

#include "lib/runtime/task.h"

namespace business {

class Session;

// Sets and clears SessionFlag bits; done at once if they stand so already. From a barrier only (an iq
// handler, or one that takes its turn): nobody else changes the session's record meanwhile. False:
// Redis did not take it within a few seconds, or the session is gone.
runtime::Task<bool> ChangeSessionFlags(std::shared_ptr<Session> session, uint64_t set,
                                       uint64_t clear);

}  // namespace business
