// When a certificate ends.
#pragma once

#include <cstdint>
#include <string>

#include "lib/runtime/result.h"

namespace business {

// Seconds since the epoch at which the first certificate in the PEM file ends. Reads the disk.
runtime::Result<int64_t> CertificateExpiry(const std::string& file);

}  // namespace business
