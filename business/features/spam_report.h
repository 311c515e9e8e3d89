#pragma once

#include <optional>
#include <string>

#include "business/feature.h"

namespace business {

// What is said of somebody who is blocked (XEP-0377 §4).
struct SpamReport {
  std::string reason;  // urn:xmpp:reporting:spam or abuse
  std::string xml;     // canonical <report/>
};

inline constexpr size_t kMaxReport = 8 * 1024;  // bytes

// The report below an item of <block/>; nullopt: there is none, or its reason is none we know.
std::optional<SpamReport> ReadReport(const xmpp::Element& item);

// Counts the report, and leaves a line for the operator.
void TakeReport(const xmpp::BareJid& reporter, const std::string& reported,
                const SpamReport& report);

Feature SpamReporting();

}  // namespace business
