#include "lib/xmpp/canonical_writer.h"

#include <algorithm>
#include <array>

namespace xmpp {
namespace {

using EscapeTable = std::array<std::string_view, 128>;

constexpr EscapeTable TextEscapes() {
  EscapeTable t{};
  t['&'] = "&amp;";
  t['<'] = "&lt;";
  t['>'] = "&gt;";
  t['\r'] = "&#xD;";
  return t;
}

constexpr EscapeTable AttributeEscapes() {
  EscapeTable t = TextEscapes();
  t['\''] = "&apos;";
  // Attribute-value normalisation (XML 1.0 §3.3.3) would make spaces of them.
  t['\t'] = "&#x9;";
  t['\n'] = "&#xA;";
  return t;
}

constexpr EscapeTable kTextEscapes = TextEscapes();
constexpr EscapeTable kAttributeEscapes = AttributeEscapes();

void AppendEscaped(std::string* out, std::string_view text, const EscapeTable& escapes) {
  const char* run = text.data();
  const char* const end = run + text.size();
  for (const char* p = run; p != end; ++p) {
    const auto c = static_cast<unsigned char>(*p);
    if (c >= 0x40 || escapes[c].empty()) continue;
    out->append(run, p);
    out->append(escapes[c]);
    run = p + 1;
  }
  out->append(run, end);
}

}  // namespace

void AppendEscapedText(std::string* out, std::string_view text) {
  AppendEscaped(out, text, kTextEscapes);
}

void AppendEscapedAttribute(std::string* out, std::string_view text) {
  AppendEscaped(out, text, kAttributeEscapes);
}

void AppendAttribute(std::string* out, std::string_view name, std::string_view value) {
  out->push_back(' ');
  out->append(name);
  out->append("='");
  AppendEscapedAttribute(out, value);
  out->push_back('\'');
}

std::string EscapeText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  AppendEscapedText(&out, text);
  return out;
}

void CanonicalWriter::Start(std::string* out, std::string_view content_ns) {
  out_ = out;
  arena_.assign(content_ns);
  levels_.clear();
  levels_.push_back({0, static_cast<uint32_t>(content_ns.size())});
  attribute_ns_.clear();
  tag_open_ = false;
}

void CanonicalWriter::Open(std::string_view local, std::string_view ns) {
  FinishTag();
  attribute_ns_.clear();
  out_->push_back('<');
  out_->append(local);
  Level level = levels_.back();
  if (NamespaceOf(level) != ns) {
    level = {static_cast<uint32_t>(arena_.size()), static_cast<uint32_t>(ns.size())};
    arena_.append(ns);
    AppendAttribute(out_, "xmlns", ns);
  }
  levels_.push_back(level);
  tag_open_ = true;
}

void CanonicalWriter::Attribute(std::string_view name, std::string_view ns,
                                std::string_view value) {
  if (ns.empty()) return AppendAttribute(out_, name, value);
  const auto known = std::find(attribute_ns_.begin(), attribute_ns_.end(), ns);
  std::string prefixed = "a" + std::to_string(known - attribute_ns_.begin() + 1);
  if (known == attribute_ns_.end()) {
    attribute_ns_.emplace_back(ns);
    AppendAttribute(out_, "xmlns:" + prefixed, ns);
  }
  AppendAttribute(out_, prefixed.append(":").append(name), value);
}

void CanonicalWriter::Text(std::string_view text) {
  if (text.empty()) return;
  FinishTag();
  AppendEscapedText(out_, text);
}

void CanonicalWriter::Close(std::string_view local) {
  if (tag_open_) {
    out_->append("/>");
    tag_open_ = false;
  } else {
    out_->append("</");
    out_->append(local);
    out_->push_back('>');
  }
  // Only a level of its own gives its piece of the arena back; an inherited one is its parent's.
  const Level closed = levels_.back();
  levels_.pop_back();
  const Level& parent = levels_.back();
  if (closed.begin != parent.begin || closed.size != parent.size) arena_.resize(closed.begin);
}

}  // namespace xmpp
