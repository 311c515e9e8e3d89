// The one place that turns text into XML. Everything Xylem sends was written here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xmpp {

// Appends `text` with & < > CR (and, for attributes, ' TAB LF as well) escaped. A CR has to be a
// character reference everywhere: a reader turns a bare one into LF (XML 1.0 §2.11). `text` must
// be valid UTF-8 without characters XML 1.0 forbids.
void AppendEscapedText(std::string* out, std::string_view text);
void AppendEscapedAttribute(std::string* out, std::string_view text);
// Appends ` name='escaped value'`.
void AppendAttribute(std::string* out, std::string_view name, std::string_view value);
std::string EscapeText(std::string_view text);

// Writes elements front to back in the canonical form (stanza.h), without a tree. Calls must nest:
// Open, its Attributes, then Text and further Opens, then Close. Single-threaded scratch: Start
// makes it new, and its buffers are used again.
class CanonicalWriter {
 public:
  // Appends to `out`, which must stay where it is; elements in `content_ns` need no declaration
  // at the root.
  void Start(std::string* out, std::string_view content_ns);

  void Open(std::string_view local, std::string_view ns);
  // `ns` empty: `name` is written as it is ("id", "xml:lang").
  void Attribute(std::string_view name, std::string_view ns, std::string_view value);
  void Text(std::string_view text);
  void Close(std::string_view local);

  size_t depth() const { return levels_.size() - 1; }

 private:
  struct Level {  // the default namespace in force, a piece of arena_
    uint32_t begin;
    uint32_t size;
  };
  std::string_view NamespaceOf(const Level& level) const {
    return std::string_view(arena_).substr(level.begin, level.size);
  }
  void FinishTag() {
    if (tag_open_) out_->push_back('>');
    tag_open_ = false;
  }

  std::string* out_ = nullptr;
  std::string arena_;
  std::vector<Level> levels_;
  std::vector<std::string> attribute_ns_;  // a1, a2 … of the open tag
  bool tag_open_ = false;                  // `<name` stands there, its `>` does not
};

}  // namespace xmpp
