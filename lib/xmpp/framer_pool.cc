#include <algorithm>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/stanza_reader.h"

namespace xmpp {

FramerPool::FramerPool(size_t max_idle) : impl_(std::make_unique<Impl>(max_idle)) {}
FramerPool::~FramerPool() = default;

std::unique_ptr<StanzaReader> FramerPool::Impl::BorrowNew() { return BorrowPrimed(nullptr); }

std::unique_ptr<StanzaReader> FramerPool::Impl::BorrowPrimed(const StreamTag& tag) {
  const auto found = std::find_if(idle.rbegin(), idle.rend(),
                                  [&](const auto& reader) { return reader->tag == tag; });
  if (found != idle.rend()) {
    auto reader = std::move(*found);
    idle.erase(std::next(found).base());
    return reader;
  }
  auto reader = std::make_unique<StanzaReader>();
  if (tag != nullptr) {
    reader->expat.Parse(*tag, /*final=*/false);
    reader->tag = tag;
    reader->event_end = reader->expat.offset();
  }
  return reader;
}

void FramerPool::Impl::Return(std::unique_ptr<StanzaReader> reader) {
  if (max_idle == 0 || reader->expat.offset() > kRetireAfter) return;
  reader->expat.SetSink(nullptr);
  reader->scanner.Reset();
  reader->declarations = 0;
  if (idle.size() >= max_idle) idle.erase(idle.begin());
  idle.push_back(std::move(reader));
}

StreamTag FramerPool::Impl::Tag(std::vector<std::pair<std::string, std::string>> declarations) {
  std::sort(declarations.begin(), declarations.end());
  std::string text = "<stream:stream";
  for (const auto& [prefix, uri] : declarations) {
    AppendAttribute(&text, prefix.empty() ? "xmlns" : "xmlns:" + prefix, uri);
  }
  text += '>';
  const auto known = tags.find(text);
  if (known != tags.end()) {
    if (auto tag = known->second.lock()) return tag;
  }
  // A new stream header is rare enough to sweep what no stream and no parser has any more.
  std::erase_if(tags, [](const auto& entry) { return entry.second.expired(); });
  auto tag = std::make_shared<const std::string>(text);
  tags.emplace(std::move(text), tag);
  return tag;
}

}  // namespace xmpp
