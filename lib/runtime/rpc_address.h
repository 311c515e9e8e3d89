// Addresses between processes, as gRPC takes them.
#pragma once

#include <string_view>

namespace runtime {

// Whether plaintext may go there or be accepted there: 127.0.0.0/8, ::1, localhost, each with a
// port or without, or a Unix socket. A name that only begins like one of these is somebody else's.
bool IsLoopback(std::string_view address);

}  // namespace runtime
