#include "lib/xmpp/stream_management.h"

#include <charconv>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/namespaces.h"

namespace xmpp {
namespace {

std::string Begin(std::string_view name) {
  std::string out = "<";
  out.append(name);
  AppendAttribute(&out, "xmlns", ns::kSm);
  return out;
}

}  // namespace

std::string WriteSmEnabled(std::string_view id, uint64_t max_seconds) {
  std::string out = Begin("enabled");
  if (!id.empty()) {
    AppendAttribute(&out, "id", id);
    AppendAttribute(&out, "resume", "true");
    if (max_seconds != 0) AppendAttribute(&out, "max", std::to_string(max_seconds));
  }
  return out.append("/>");
}

std::string WriteSmAnswer(uint32_t h) {
  std::string out = Begin("a");
  AppendAttribute(&out, "h", std::to_string(h));
  return out.append("/>");
}

std::string WriteSmResumed(std::string_view previd, uint32_t h) {
  std::string out = Begin("resumed");
  AppendAttribute(&out, "previd", previd);
  AppendAttribute(&out, "h", std::to_string(h));
  return out.append("/>");
}

std::string WriteSmFailed(std::string_view condition, std::optional<uint32_t> h) {
  std::string out = Begin("failed");
  if (h) AppendAttribute(&out, "h", std::to_string(*h));
  out.append("><").append(condition);
  AppendAttribute(&out, "xmlns", ns::kStanzaErrors);
  return out.append("/></failed>");
}

StreamError HandledCountTooHigh(uint32_t h, uint32_t sent) {
  std::string condition = Begin("handled-count-too-high");
  AppendAttribute(&condition, "h", std::to_string(h));
  AppendAttribute(&condition, "send-count", std::to_string(sent));
  return {StreamCondition::kUndefinedCondition, {}, condition.append("/>")};
}

std::optional<uint32_t> ParseSmCount(std::string_view text) {
  uint32_t count = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (bad != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return count;
}

bool ParseSmBoolean(std::string_view text) { return text == "true" || text == "1"; }

}  // namespace xmpp
