// The framer, its canonical form, and RapidXML behind it. The first byte chooses the stream (see
// Setup), the rest is what the peer sends. Held for every input:
//   split invariance: whole, byte by byte and cut at random give the same events;
//   differential: what is accepted a fresh expat accepts, and RapidXML's tree of the canonical form
//     is the tree that expat makes of the original;
//   idempotence: the canonical form, read again, is itself.
#include <expat.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "lib/xmpp/element.h"
#include "tests/lib/xmpp/framer_recorder.h"

namespace {

using namespace xmpp;

void Hold(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct Setup {
  explicit Setup(uint8_t choice)
      : mode((choice & 2) != 0 ? Framer::Mode::kFrame : Framer::Mode::kStream),
        content_ns((choice & 8) != 0 ? ns::kServer : ns::kClient) {
    if ((choice & 4) != 0) limits = {300, 5, 3, 9, 12, 4};
    if ((choice & 1) == 0 || mode == Framer::Mode::kFrame) return;
    preamble = "<stream:stream xmlns='" + std::string(content_ns) +
               "' xmlns:stream='http://etherx.jabber.org/streams' xmlns:h='urn:h'>";
  }
  Framer::Mode mode;
  std::string_view content_ns;
  FramerLimits limits;
  std::string preamble;
};

// Feeds `bytes` in the given pieces; what is left of them in one.
void Read(const Setup& setup, FramerPool& pool, std::string_view bytes,
          const std::vector<size_t>& pieces, FramerRecorder* seen, uint64_t* whitespace,
          bool* unfinished) {
  Framer framer(pool, *seen, setup.mode, setup.content_ns, setup.limits);
  framer.Feed(setup.preamble);
  for (size_t piece : pieces) {
    piece = std::min(piece, bytes.size());
    framer.Feed(bytes.substr(0, piece));
    bytes.remove_prefix(piece);
  }
  if (!bytes.empty() || setup.mode == Framer::Mode::kFrame) framer.Feed(bytes);
  *whitespace = framer.whitespace_bytes();
  *unfinished = framer.HoldsParser();
}

// First-level elements as expat sees them, without our framer: names, attributes, text.
struct Trees {
  std::vector<Element> done;
  std::vector<Element> open;
  size_t first_level = 1;  // depth of the elements wanted, 0 for a document of its own
  size_t depth = 0;
  std::string content_ns;

  struct Name {
    std::string ns, local;
  };
  static Name Split(const char* name) {
    const std::string all(name);
    const size_t at = all.find('\n');
    if (at == std::string::npos) return {"", all};
    return {all.substr(0, at), all.substr(at + 1)};
  }
  static void Start(void* self, const char* name, const char** attributes) {
    auto& t = *static_cast<Trees*>(self);
    if (t.depth++ < t.first_level) return;
    const Name n = Split(name);
    const bool in_content = n.ns == t.content_ns;
    const bool stanza = t.open.empty() && in_content &&
                        (n.local == "message" || n.local == "presence" || n.local == "iq");
    Element e(n.local, in_content ? ns::kClient : n.ns);
    for (; *attributes != nullptr; attributes += 2) {
      Name a = Split(attributes[0]);
      if (stanza && a.ns.empty() && (a.local == "to" || a.local == "from")) continue;
      if (a.ns == ns::kXml) a = {"", "xml:" + a.local};
      e.AddAttribute({a.local, a.ns, attributes[1]});
    }
    t.open.push_back(std::move(e));
  }
  static void End(void* self, const char*) {
    auto& t = *static_cast<Trees*>(self);
    if (--t.depth < t.first_level) return;
    Element e = std::move(t.open.back());
    t.open.pop_back();
    if (t.open.empty()) {
      t.done.push_back(std::move(e));
    } else {
      t.open.back().Add(std::move(e));
    }
  }
  static void Text(void* self, const char* text, int size) {
    auto& t = *static_cast<Trees*>(self);
    if (!t.open.empty()) t.open.back().AddText(std::string(text, size));
  }
};

void CompareWithExpat(const Setup& setup, std::string_view document, const FramerRecorder& seen) {
  const bool frame = setup.mode == Framer::Mode::kFrame;
  if (!frame)
    document.remove_prefix(std::min(document.find_first_not_of(" \t\r\n"), document.size()));
  Trees trees;
  trees.first_level = frame ? 0 : 1;
  trees.content_ns = setup.content_ns;
  XML_Parser parser = XML_ParserCreateNS("UTF-8", '\n');
  XML_SetUserData(parser, &trees);
  XML_SetElementHandler(parser, Trees::Start, Trees::End);
  XML_SetCharacterDataHandler(parser, Trees::Text);
  const XML_Status status = XML_Parse(parser, document.data(), static_cast<int>(document.size()),
                                      frame ? XML_TRUE : XML_FALSE);
  const bool junk_behind_the_end =
      !frame && !seen.log.empty() && seen.log.back() == "end";  // ignored by the framer
  XML_ParserFree(parser);
  Hold(!seen.errors.empty() || junk_behind_the_end || status == XML_STATUS_OK,
       "expat refuses what the framer accepted");
  Hold(trees.done.size() >= seen.stanzas.size(), "the framer saw an element that expat did not");
  for (size_t i = 0; i < seen.stanzas.size(); ++i) {
    const auto element = Element::Parse(seen.stanzas[i].bytes);
    Hold(element.has_value(), "RapidXML refuses the canonical form");
    Hold(*element == trees.done[i], "the canonical form is another tree");
    Hold(element->Write() == seen.stanzas[i].bytes, "the element is written otherwise");
  }
}

void ReadAgain(const Stanza& stanza) {
  FramerPool pool(1);
  FramerRecorder seen;
  FramerLimits limits;
  limits.stanza_bytes = 1 << 24;
  limits.declarations = limits.depth = 1000;
  Framer framer(pool, seen, Framer::Mode::kStream, ns::kClient, limits);
  framer.Feed(kTestHeader);
  framer.Feed(WithAddresses(stanza.bytes, stanza.kind, stanza.from, stanza.to));
  Hold(seen.stanzas.size() == 1, "the canonical form is no stanza");
  const Stanza& again = seen.stanzas[0];
  Hold(again.bytes == stanza.bytes, "the canonical form changes when read again");
  const bool foreign = stanza.kind != again.kind;  // jabber:client on a stream of another content
  Hold(foreign ||
           (again.flags == stanza.flags && again.id == stanza.id && again.type == stanza.type &&
            again.to == stanza.to && again.from == stanza.from && again.lang == stanza.lang),
       "the envelope changes when read again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Setup setup(data[0]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);

  FramerPool pool(4);
  FramerRecorder whole;
  uint64_t whitespace = 0;
  bool unfinished = false;
  Read(setup, pool, bytes, {}, &whole, &whitespace, &unfinished);

  if (setup.mode == Framer::Mode::kStream) {
    uint32_t random = 2166136261u;
    for (char c : bytes) random = (random ^ static_cast<uint8_t>(c)) * 16777619u;
    std::vector<size_t> cuts;
    for (size_t sum = 0; sum < bytes.size(); sum += cuts.back()) {
      random = random * 1664525u + 1013904223u;
      cuts.push_back(1 + (random >> 16) % 23);
    }
    for (const auto& pieces : {std::vector<size_t>(bytes.size(), 1), cuts}) {
      FramerRecorder cut;
      uint64_t cut_whitespace = 0;
      bool cut_unfinished = false;
      Read(setup, pool, bytes, pieces, &cut, &cut_whitespace, &cut_unfinished);
      // Within a long unfinished token an error is found late, and may lie behind the input's end.
      if (bytes.size() > 1024 && cut_unfinished && cut.log.size() + 1 == whole.log.size() &&
          !whole.errors.empty()) {
        continue;
      }
      if (cut.log != whole.log) {
        for (const auto& line : whole.log) std::fprintf(stderr, "whole %s\n", line.c_str());
        for (const auto& line : cut.log) std::fprintf(stderr, "cut   %s\n", line.c_str());
      }
      Hold(cut.log == whole.log, "the events depend on how the bytes were cut");
      // Of a piece of text that ends in an error, expat reports the spaces before only sometimes.
      Hold(!whole.errors.empty() || cut_whitespace == whitespace, "white space miscounted");
      Hold(cut_unfinished == unfinished, "a parser is held, or not, by how the bytes were cut");
    }
  }
  CompareWithExpat(setup, setup.preamble + std::string(bytes), whole);
  for (Stanza stanza : whole.stanzas) {
    ReadAgain(stanza);
    ValidateAtEdge(&stanza);
  }
  Element::Parse(bytes);
  return 0;
}
