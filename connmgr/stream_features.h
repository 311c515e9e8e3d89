// <stream:features/> and the few elements a manager answers by itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace connmgr {

enum class StartTlsOffer { kNone, kOptional, kRequired };

// `from_business`: children, each with its namespace declared. Compression is never among ours
// (tests/attacks, row 43).
std::string WriteFeatures(StartTlsOffer starttls, std::string_view from_business);

// XEP-0478 §3: the largest first-level element that is read. There is no <idle-seconds/>: a client
// may be silent for as long as its kernel answers keepalives.
std::string WriteStreamLimits(uint32_t max_bytes);

std::string WriteStartTlsProceed();  // RFC 6120 §5.4.2.3
std::string WriteStartTlsFailure();  // RFC 6120 §5.4.2.2
std::string WriteSaslFailure(std::string_view condition);  // RFC 6120 §6.5
std::string WriteCompressionFailure();                     // XEP-0138 §4

}  // namespace connmgr
