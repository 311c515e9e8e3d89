#include "lib/xmpp/framer.h"

#include <algorithm>
#include <utility>

#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/stanza_reader.h"

namespace xmpp {
namespace {

// A stream's opening tag is never longer, whatever the limit for stanzas: its declarations stay in
// memory as long as the stream.
constexpr uint32_t kHeaderBytes = 10000;
// expat gets at most so much at once, so its buffer stays small.
constexpr size_t kSlice = 16 * 1024;
// An unfinished token of this size is given to expat again only when it may be complete, or has
// doubled: otherwise a tag sent byte by byte costs the square of its length.
constexpr uint64_t kHoldFrom = 1024;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool AllSpace(std::string_view text) { return std::all_of(text.begin(), text.end(), IsSpace); }

bool NamesUtf8(std::string_view encoding) {
  static constexpr std::string_view kUtf8 = "utf-8";
  return std::equal(encoding.begin(), encoding.end(), kUtf8.begin(), kUtf8.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

StreamError OverLimit(std::string_view what) {
  StreamError error{StreamCondition::kPolicyViolation, std::string(what), {}};
  if (what == "stanza too big") error.app_condition = "<stanza-too-big xmlns='urn:xmpp:errors'/>";
  return error;
}

// `opening` declares its namespaces in a tag of this document: nothing about them is judged here.
StreamHeader HeaderFrom(const char* const* attributes, std::string_view content_ns) {
  StreamHeader header;
  header.content_ns = content_ns;
  for (; *attributes != nullptr; attributes += 2) {
    const ExpandedName a = ExpandedName::Split(attributes[0]);
    const std::string_view value = attributes[1];
    if (a.ns == ns::kXml && a.local == "lang") header.lang = value;
    if (!a.ns.empty()) continue;
    if (a.local == "to") header.to = value;
    if (a.local == "from") header.from = value;
    if (a.local == "id") header.id = value;
    if (a.local == "version") header.version = value;
  }
  return header;
}

}  // namespace

FramerLimits FramerLimits::BeforeAuthentication() {
  FramerLimits limits;
  limits.stanza_bytes = 10000;
  limits.depth = 8;
  limits.elements = 32;
  return limits;
}

struct Framer::Impl final : ExpatSink {
  enum class State : uint8_t {
    kHeader,       // the stream's opening tag is expected or half read
    kOpen,         // first-level elements are
    kEndedMutely,  // opened and closed by one empty element, the end not reported yet
    kEnded,
    kFailed,
  };

  Impl(FramerPool::Impl& pool, FramerEvents& events, Mode mode, std::string_view content_ns,
       const FramerLimits& limits)
      : pool(pool), events(events), content_ns(content_ns), limits(limits), mode(mode) {}

  size_t Feed(std::string_view bytes);
  void Restart();

  // kStream
  size_t FeedStream(std::string_view bytes);
  size_t SkipSpace(std::string_view bytes);
  void FinishLine();
  size_t Push(std::string_view bytes);
  size_t Parse(std::string_view data, size_t held);
  void ScanPending(std::string_view data, uint64_t base, bool scanned);
  uint64_t Room() const;
  void ReadStreamHeader(const ExpandedName& name, const char* const* attributes);
  std::optional<StreamError> BadBeginning(std::string_view bytes) const;

  // kFrame
  size_t FeedFrame(std::string_view bytes);
  bool ReadFramingElement(const ExpandedName& name, const char* const* attributes);

  // Inside callbacks: the parser stops, Parse reports.
  void Refuse(StreamError error);
  void Refuse(StreamCondition condition, std::string text) {
    Refuse({condition, std::move(text), {}});
  }
  void CutHere();
  // Outside: the last event.
  void Fail(StreamError error);

  void OnXmlDeclaration(std::string_view version, std::string_view encoding) override;
  void OnNamespace(std::string_view prefix, std::string_view uri) override;
  void OnNamespaceEnd() override;
  void OnStart(const ExpandedName& name, const char* const* attributes) override;
  void OnEnd(const ExpandedName& name) override;
  void OnText(std::string_view text) override;
  void OnCdataEdge(bool start) override;
  void OnForbidden(std::string_view what) override;

  // What the framing layer of one document found, kFrame only: delivered when it is complete.
  struct Frame {
    enum class Kind : uint8_t { kNone, kStanza, kOpen, kClose } kind = Kind::kNone;
    StreamHeader header;
    Stanza stanza;
  };
  // What the opening tag declares, while it is read.
  using Declarations = std::vector<std::pair<std::string, std::string>>;

  FramerPool::Impl& pool;
  FramerEvents& events;
  std::unique_ptr<StanzaReader> reader;
  std::unique_ptr<Frame> frame;
  std::unique_ptr<Declarations> declarations;
  StreamTag tag;
  std::string content_ns;
  uint64_t whitespace = 0;
  FramerLimits limits;
  const Mode mode;
  State state = State::kHeader;
  bool in_feed = false;
  bool stop = false;     // an event asked for it
  bool restart = false;  // asked for by an event
};

size_t Framer::Impl::Feed(std::string_view bytes) {
  in_feed = true;
  stop = false;
  const size_t consumed = mode == Mode::kFrame ? FeedFrame(bytes) : FeedStream(bytes);
  in_feed = false;
  if (restart) Restart();
  return consumed;
}

void Framer::Impl::Restart() {
  if (in_feed) {
    restart = stop = true;
    return;
  }
  reader.reset();
  frame.reset();
  declarations.reset();
  tag.reset();
  state = State::kHeader;
  restart = false;
}

size_t Framer::Impl::FeedStream(std::string_view bytes) {
  if (state == State::kEndedMutely) {
    state = State::kEnded;
    if (!events.OnStreamEnd()) return 0;
  }
  size_t pos = 0;
  while (pos < bytes.size() && !stop && (state == State::kHeader || state == State::kOpen)) {
    if (reader == nullptr) {
      pos += SkipSpace(bytes.substr(pos));
      if (pos == bytes.size()) break;
      reader = state == State::kHeader ? pool.BorrowNew() : pool.BorrowPrimed(tag);
      reader->expat.SetSink(this);
    }
    if (state == State::kHeader) {
      if (auto error = BadBeginning(bytes.substr(pos))) {
        Fail(*std::move(error));
        return pos;
      }
    }
    pos += Push(bytes.substr(pos));
  }
  if (reader != nullptr && state == State::kOpen) {
    if (reader->HoldsReturnOnly()) FinishLine();
    if (reader->AtBoundary()) pool.Return(std::move(reader));
  }
  if (state == State::kEnded && !stop) return bytes.size();  // nothing behind the end counts
  return pos;
}

// Between stanzas, and before a document: what follows a stanza that restarts the stream (a line
// feed behind <auth/>) still belongs to the stream that ended.
size_t Framer::Impl::SkipSpace(std::string_view bytes) {
  const auto end = std::find_if_not(bytes.begin(), bytes.end(), IsSpace);
  const auto skipped = static_cast<size_t>(end - bytes.begin());
  whitespace += skipped;
  return skipped;
}

// A carriage return behind a stanza begins no other one: it is white space, whatever comes next.
// The parser, about to be left, gets the line feed it waits for; nobody hears of it.
void Framer::Impl::FinishLine() {
  ++whitespace;
  reader->expat.SetSink(nullptr);
  reader->expat.Parse("\n", /*final=*/false);
  reader->event_end = reader->expat.offset();
}

// A document begins with '<' or the UTF-8 mark. Judged here, because expat would follow the other
// byte order marks, and the patterns of XML 1.0 appendix F, into UTF-16.
std::optional<StreamError> Framer::Impl::BadBeginning(std::string_view bytes) const {
  const StreamError encoding{StreamCondition::kUnsupportedEncoding, "UTF-8 only", {}};
  size_t second = 0;
  if (reader->expat.offset() == 0) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    if (first == 0x00 || first == 0xFE || first == 0xFF) return encoding;
    if (first != '<' && first != 0xEF) {
      return StreamError{StreamCondition::kNotWellFormed, "not XML", {}};
    }
    second = 1;
  } else if (reader->expat.offset() > 1) {
    return std::nullopt;
  }
  if (second < bytes.size() && bytes[second] == '\0') return encoding;
  return std::nullopt;
}

// How many bytes the stanza (or the opening tag) may still take. Nothing beyond is shown to expat,
// so what a stanza over the limit gets does not depend on how it was cut.
uint64_t Framer::Impl::Room() const {
  const StanzaReader& r = *reader;
  const uint64_t read = r.expat.offset() + r.held.size();
  uint64_t end = std::min(limits.stanza_bytes, kHeaderBytes);
  if (state == State::kOpen) {
    end = (r.builder.depth() > 0 ? r.stanza_begin : r.event_end) + limits.stanza_bytes;
  }
  return end > read ? end - read : 0;
}

size_t Framer::Impl::Push(std::string_view bytes) {
  StanzaReader& r = *reader;
  const uint64_t room = Room();
  if (room == 0) {
    if (r.held.empty()) {
      Fail(OverLimit("stanza too big"));
    } else {
      Parse(std::exchange(r.held, {}), 0);  // there may be an error in it, which came first
    }
    return 0;
  }
  std::string_view slice = bytes.substr(0, std::min<uint64_t>(room, kSlice));
  const uint64_t pending = r.PendingBytes();
  if (state != State::kOpen || pending < kHoldFrom) {
    const uint64_t base = r.expat.offset();
    const size_t consumed = Parse(slice, 0);
    if (reader != nullptr) ScanPending(slice, base, /*scanned=*/false);
    return consumed;
  }
  const size_t token_end = r.scanner.Scan(slice);
  if (token_end == std::string_view::npos && r.held.size() + slice.size() < pending) {
    r.held.append(slice);
    return slice.size();
  }
  slice = slice.substr(0, token_end);
  const size_t held = r.held.size();
  const std::string data = std::exchange(r.held, {}).append(slice);
  const uint64_t base = r.expat.offset();
  const size_t consumed = Parse(data, held);
  if (reader != nullptr) ScanPending(data, base, /*scanned=*/true);
  return consumed;
}

// Gives expat `data`, whose first `held` bytes were consumed before. Returns how many bytes are
// consumed now. Afterwards `reader` may be gone.
size_t Framer::Impl::Parse(std::string_view data, size_t held) {
  StanzaReader& r = *reader;
  const uint64_t base = r.expat.offset();
  const auto status = r.expat.Parse(data, /*final=*/false);
  size_t consumed = data.size() - held;
  if (r.failure) {
    Fail(*std::move(r.failure));
  } else if (r.cut) {
    consumed = *r.cut - base - held;
    reader.reset();
  } else if (status != ExpatParser::Status::kOk) {
    const bool text =
        state == State::kOpen && r.builder.depth() == 0 && r.expat.FailedBehindText(r.event_end);
    Fail(text ? StreamError{StreamCondition::kBadFormat, "text between stanzas", {}}
              : r.expat.Error());
  }
  return consumed;
}

// Keeps the scanner in step with the unfinished token at the end of `data`.
void Framer::Impl::ScanPending(std::string_view data, uint64_t base, bool scanned) {
  StanzaReader& r = *reader;
  if (r.PendingBytes() == 0 || r.event_end >= base) {
    r.scanner.Reset();
    if (r.event_end >= base) r.scanner.Scan(data.substr(r.event_end - base));
  } else if (!scanned) {
    r.scanner.Scan(data);
  }
}

size_t Framer::Impl::FeedFrame(std::string_view bytes) {
  if (state == State::kEnded || state == State::kFailed) return 0;
  reader = pool.BorrowNew();
  frame = std::make_unique<Frame>();
  if (bytes.size() > limits.stanza_bytes) {
    Fail(OverLimit("stanza too big"));
    return 0;
  }
  if (!bytes.empty()) {
    if (auto error = BadBeginning(bytes)) {
      Fail(*std::move(error));
      return 0;
    }
  }
  reader->expat.SetSink(this);
  const auto status = reader->expat.Parse(bytes, /*final=*/true);
  if (reader->failure) {
    Fail(*std::move(reader->failure));
    return 0;
  }
  if (status != ExpatParser::Status::kOk) {
    Fail(reader->expat.Error());
    return 0;
  }
  const bool reusable = reader->expat.offset() <= kSlice;
  reader->expat.Reset();
  if (reusable) pool.Return(std::move(reader));
  reader.reset();
  const std::unique_ptr<Frame> found = std::move(frame);
  switch (found->kind) {
    case Frame::Kind::kOpen:
      stop = !events.OnStreamHeader(std::move(found->header));
      break;
    case Frame::Kind::kClose:
      state = State::kEnded;
      stop = !events.OnStreamEnd();
      break;
    case Frame::Kind::kStanza:
      stop = !events.OnStanza(std::move(found->stanza));
      break;
    case Frame::Kind::kNone:
      break;
  }
  return bytes.size();
}

void Framer::Impl::Fail(StreamError error) {
  state = State::kFailed;
  reader.reset();
  events.OnStreamError(std::move(error));
}

void Framer::Impl::Refuse(StreamError error) {
  reader->failure = std::move(error);
  reader->expat.Stop();
}

void Framer::Impl::CutHere() {
  reader->cut = reader->event_end;
  reader->expat.Stop();
}

void Framer::Impl::OnXmlDeclaration(std::string_view version, std::string_view encoding) {
  if (version != "1.0") {
    Refuse(StreamCondition::kNotWellFormed, "XML 1.0 only");
  } else if (!encoding.empty() && !NamesUtf8(encoding)) {
    Refuse(StreamCondition::kUnsupportedEncoding, "UTF-8 only");
  }
}

void Framer::Impl::OnNamespace(std::string_view prefix, std::string_view uri) {
  if (reader->Stopped()) return;
  if (++reader->declarations > limits.declarations) {
    return Refuse(OverLimit("too many namespace declarations"));
  }
  if (state != State::kHeader || mode != Mode::kStream) return;
  if (declarations == nullptr) declarations = std::make_unique<Declarations>();
  declarations->emplace_back(prefix, uri);
}

// Counted by scope, not by stanza: a reply with a hundred items may declare as many payloads.
void Framer::Impl::OnNamespaceEnd() {
  if (reader->declarations > 0) --reader->declarations;
}

void Framer::Impl::OnStart(const ExpandedName& name, const char* const* attributes) {
  StanzaReader& r = *reader;
  if (r.Stopped()) return;
  r.event_end = r.expat.EventEnd();
  if (mode == Mode::kStream && state == State::kHeader) return ReadStreamHeader(name, attributes);
  if (r.builder.depth() == 0) {
    if (mode == Mode::kFrame && ReadFramingElement(name, attributes)) return;
    if (name.ns == ns::kStreams && name.local == "stream") {
      return Refuse(StreamCondition::kBadFormat, "a stream inside a stream");
    }
    r.stanza_begin = r.event_end - r.expat.EventSize();
    r.builder.Begin(content_ns);
  }
  if (!r.builder.Start(name, attributes, limits)) Refuse(OverLimit(r.builder.over()));
}

// RFC 6120 §4.8: the prefix is `stream`, the stream namespace is fixed, a default namespace, where
// one is declared, is the content namespace.
void Framer::Impl::ReadStreamHeader(const ExpandedName& name, const char* const* attributes) {
  const std::unique_ptr<Declarations> declared = std::move(declarations);
  std::string_view default_ns;
  if (declared != nullptr) {
    for (const auto& [prefix, uri] : *declared) {
      if (prefix.empty()) default_ns = uri;
    }
  }
  if (name.prefix != "stream") {
    return Refuse(StreamCondition::kBadNamespacePrefix, "the prefix is `stream`");
  }
  if (name.ns != ns::kStreams) {
    return Refuse(StreamCondition::kInvalidNamespace, "not the stream namespace");
  }
  if (name.local != "stream") return Refuse(StreamCondition::kBadFormat, "not a stream");
  if (!default_ns.empty() && default_ns != content_ns) {
    return Refuse(StreamCondition::kInvalidNamespace, "not the content namespace");
  }
  const std::string_view over = StanzaBuilder::OverTagLimits(name, attributes, limits);
  if (!over.empty()) return Refuse(OverLimit(over));

  tag = pool.Tag(*declared);  // the prefix `stream` at least
  reader->tag = tag;
  reader->declarations = 0;
  state = State::kOpen;
  stop |= !events.OnStreamHeader(HeaderFrom(attributes, default_ns));
  if (stop) CutHere();
}

// RFC 7395 §3.3: <open/> and <close/> stand for the stream's tags. True if the element is dealt
// with.
bool Framer::Impl::ReadFramingElement(const ExpandedName& name, const char* const* attributes) {
  if (frame->kind == Frame::Kind::kOpen || frame->kind == Frame::Kind::kClose) {
    Refuse(StreamCondition::kBadFormat, "an element inside a framing element");
    return true;
  }
  frame->kind = Frame::Kind::kStanza;
  if (name.ns != ns::kFraming || (name.local != "open" && name.local != "close")) return false;
  const std::string_view over = StanzaBuilder::OverTagLimits(name, attributes, limits);
  if (!over.empty()) {
    Refuse(OverLimit(over));
  } else if (name.local == "open") {
    frame->kind = Frame::Kind::kOpen;
    frame->header = HeaderFrom(attributes, content_ns);
  } else {
    frame->kind = Frame::Kind::kClose;
  }
  return true;
}

void Framer::Impl::OnEnd(const ExpandedName& name) {
  StanzaReader& r = *reader;
  if (r.Stopped()) {
    // The one thing expat still reports: the end of an empty element whose start stopped it.
    if (!r.failure && state == State::kOpen && r.builder.depth() == 0) {
      state = State::kEndedMutely;
    }
    return;
  }
  r.event_end = r.expat.EventEnd();
  if (r.builder.depth() == 0) {
    if (mode == Mode::kFrame) return;
    state = State::kEnded;
    stop |= !events.OnStreamEnd();
    return CutHere();
  }
  if (!r.builder.End(name)) return;
  if (mode == Mode::kFrame) {
    frame->stanza = r.builder.Take();
    return;
  }
  stop |= !events.OnStanza(r.builder.Take());
  if (stop || r.event_end > kRetireAfter) CutHere();
}

void Framer::Impl::OnText(std::string_view text) {
  StanzaReader& r = *reader;
  if (r.Stopped()) return;
  r.event_end = r.expat.EventEnd();
  if (r.builder.depth() > 0) {
    if (!r.builder.Text(text, limits)) Refuse(OverLimit(r.builder.over()));
  } else if (AllSpace(text)) {
    whitespace += r.expat.EventSize();
  } else {
    Refuse(StreamCondition::kBadFormat, "text between stanzas");
  }
}

void Framer::Impl::OnCdataEdge(bool) {
  StanzaReader& r = *reader;
  if (r.Stopped()) return;
  r.event_end = r.expat.EventEnd();
  if (r.builder.depth() == 0) Refuse(StreamCondition::kBadFormat, "text between stanzas");
}

void Framer::Impl::OnForbidden(std::string_view what) {
  if (!reader->Stopped()) Refuse(StreamCondition::kRestrictedXml, std::string(what));
}

Framer::Framer(FramerPool& pool, FramerEvents& events, Mode mode, std::string_view content_ns,
               FramerLimits limits)
    : impl_(std::make_unique<Impl>(pool.impl(), events, mode, content_ns, limits)) {}
Framer::~Framer() = default;

size_t Framer::Feed(std::string_view bytes) { return impl_->Feed(bytes); }
void Framer::Restart() { impl_->Restart(); }
void Framer::SetLimits(const FramerLimits& limits) { impl_->limits = limits; }

bool Framer::InStanza() const {
  return impl_->reader != nullptr && impl_->state == Impl::State::kOpen &&
         !impl_->reader->AtBoundary();
}

bool Framer::HoldsParser() const { return impl_->reader != nullptr; }
uint64_t Framer::whitespace_bytes() const { return impl_->whitespace; }

}  // namespace xmpp
