// XEP-0377: Blocking Command Reports 0.4.1. A report comes with the block (see blocking.cc), is kept
// with it, and is counted and logged for the operator.
#include "business/features/spam_report.h"

#include "lib/runtime/log.h"
#include "lib/runtime/metrics.h"
#include "lib/xmpp/namespaces.h"

namespace business {

namespace ns = xmpp::ns;

std::optional<SpamReport> ReadReport(const xmpp::Element& item) {
  const xmpp::Element* report = item.Find("report", ns::kReporting);
  if (report == nullptr) return std::nullopt;
  SpamReport read{.reason = std::string(report->Attr("reason")), .xml = report->Write()};
  if (read.reason != ns::kReportSpam && read.reason != ns::kReportAbuse) return std::nullopt;
  return read;
}

void TakeReport(const xmpp::BareJid& reporter, const std::string& reported,
                const SpamReport& report) {
  const char* reason = report.reason == ns::kReportSpam ? "spam" : "abuse";
  runtime::Metrics::Get()
      .GetCounter("xylem_reports_total", "Reports of blocked addresses (XEP-0377)",
                  {{"reason", reason}})
      .Add();
  runtime::LogWarn("spam_report", "A user reports an address.",
                   {{"reporter", reporter.ToString()},
                    {"reported", reported},
                    {"reason", reason}});
}

Feature SpamReporting() {
  Feature feature;
  feature.name = "spam_report";
  feature.specs = {{.xep = 377, .version = "0.4.1"}};
  feature.needs = {"blocking"};
  feature.disco.server = {ns::kReporting};
  return feature;
}

}  // namespace business
