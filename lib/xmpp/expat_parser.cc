#include "lib/xmpp/expat_parser.h"

#include <expat.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

namespace xmpp {
namespace {

// No XML character, so it occurs in no name and no URI.
constexpr char kSeparator = '\x01';

std::string_view View(const char* s) { return s == nullptr ? std::string_view() : s; }

}  // namespace

ExpandedName ExpandedName::Split(const char* name) {
  const std::string_view all(name);
  const size_t first = all.find(kSeparator);
  if (first == std::string_view::npos) return {{}, all, {}};
  const size_t second = all.find(kSeparator, first + 1);
  if (second == std::string_view::npos) return {all.substr(0, first), all.substr(first + 1), {}};
  return {all.substr(0, first), all.substr(first + 1, second - first - 1), all.substr(second + 1)};
}

struct ExpatParser::Callbacks {
  static ExpatSink* Sink(void* self) { return static_cast<ExpatParser*>(self)->sink_; }

  static void XmlDeclaration(void* self, const char* version, const char* encoding, int) {
    if (auto* sink = Sink(self)) sink->OnXmlDeclaration(View(version), View(encoding));
  }
  static void Namespace(void* self, const char* prefix, const char* uri) {
    if (auto* sink = Sink(self)) sink->OnNamespace(View(prefix), View(uri));
  }
  static void NamespaceEnd(void* self, const char*) {
    if (auto* sink = Sink(self)) sink->OnNamespaceEnd();
  }
  static void Start(void* self, const char* name, const char** attributes) {
    if (auto* sink = Sink(self)) sink->OnStart(ExpandedName::Split(name), attributes);
  }
  static void End(void* self, const char* name) {
    if (auto* sink = Sink(self)) sink->OnEnd(ExpandedName::Split(name));
  }
  static void Text(void* self, const char* text, int size) {
    if (auto* sink = Sink(self)) sink->OnText({text, static_cast<size_t>(size)});
  }
  static void CdataStart(void* self) {
    if (auto* sink = Sink(self)) sink->OnCdataEdge(true);
  }
  static void CdataEnd(void* self) {
    if (auto* sink = Sink(self)) sink->OnCdataEdge(false);
  }
  static void Comment(void* self, const char*) {
    if (auto* sink = Sink(self)) sink->OnForbidden("comment");
  }
  static void Instruction(void* self, const char*, const char*) {
    if (auto* sink = Sink(self)) sink->OnForbidden("processing instruction");
  }
  static void Doctype(void* self, const char*, const char*, const char*, int) {
    if (auto* sink = Sink(self)) sink->OnForbidden("DOCTYPE");
  }
};

ExpatParser::ExpatParser() : parser_(XML_ParserCreateNS("UTF-8", kSeparator)) {
  if (parser_ == nullptr) throw std::bad_alloc();
  Configure();
}

ExpatParser::~ExpatParser() { XML_ParserFree(parser_); }

void ExpatParser::Configure() {
  XML_SetReturnNSTriplet(parser_, XML_TRUE);
  XML_SetUserData(parser_, this);
  XML_SetElementHandler(parser_, Callbacks::Start, Callbacks::End);
  XML_SetCharacterDataHandler(parser_, Callbacks::Text);
  XML_SetCdataSectionHandler(parser_, Callbacks::CdataStart, Callbacks::CdataEnd);
  XML_SetNamespaceDeclHandler(parser_, Callbacks::Namespace, Callbacks::NamespaceEnd);
  XML_SetXmlDeclHandler(parser_, Callbacks::XmlDeclaration);
  XML_SetCommentHandler(parser_, Callbacks::Comment);
  XML_SetProcessingInstructionHandler(parser_, Callbacks::Instruction);
  XML_SetStartDoctypeDeclHandler(parser_, Callbacks::Doctype);
#ifdef XYLEM_EXPAT_HAS_DEFERRAL
  // Deferral holds back a complete stanza whose tag came in pieces until more bytes arrive, which
  // on an XMPP stream may be never. Framer bounds the cost of parsing a long tag again itself.
  XML_SetReparseDeferralEnabled(parser_, XML_FALSE);
#endif
}

ExpatParser::Status ExpatParser::Parse(std::string_view bytes, bool final) {
  chunk_ = bytes;
  offset_ += bytes.size();
  const XML_Status status =
      XML_Parse(parser_, bytes.data(), static_cast<int>(bytes.size()), final ? 1 : 0);
  if (status == XML_STATUS_ERROR) {
    return XML_GetErrorCode(parser_) == XML_ERROR_ABORTED ? Status::kStopped : Status::kError;
  }
  if (bytes.size() >= 2) {
    std::memcpy(before_, bytes.data() + bytes.size() - 2, 2);
  } else if (bytes.size() == 1) {
    before_[0] = before_[1];
    before_[1] = bytes[0];
  }
  chunk_ = {};
  return Status::kOk;
}

void ExpatParser::Stop() { XML_StopParser(parser_, XML_FALSE); }

void ExpatParser::Reset() {
  XML_ParserReset(parser_, "UTF-8");
  Configure();
  sink_ = nullptr;
  offset_ = 0;
  chunk_ = {};
  before_[0] = before_[1] = ' ';
}

uint64_t ExpatParser::EventSize() const {
  return static_cast<uint64_t>(XML_GetCurrentByteCount(parser_));
}

uint64_t ExpatParser::EventEnd() const {
  return static_cast<uint64_t>(XML_GetCurrentByteIndex(parser_)) + EventSize();
}

char ExpatParser::ByteAt(int64_t offset) const {
  const int64_t i = offset - static_cast<int64_t>(offset_ - chunk_.size());
  if (i >= 0) return i < static_cast<int64_t>(chunk_.size()) ? chunk_[i] : '\0';
  return i >= -2 ? before_[2 + i] : '\0';
}

// In content expat knows no `<!DOCTYPE` or `<!ENTITY`: it finds fault with the letter behind `<!`.
bool ExpatParser::FailedAtDeclaration() const {
  const int64_t at = XML_GetCurrentByteIndex(parser_);
  const char letter = ByteAt(at);
  return ByteAt(at - 2) == '<' && ByteAt(at - 1) == '!' &&
         (letter == 'D' || letter == 'E' || letter == 'A' || letter == 'N');
}

// A run of text that holds `]]>` is refused as one token if it came in one piece; cut, its
// beginning is reported first.
bool ExpatParser::FailedBehindText(uint64_t begin) const {
  if (XML_GetErrorCode(parser_) != XML_ERROR_INVALID_TOKEN) return false;
  const int64_t end = XML_GetCurrentByteIndex(parser_);
  for (auto i = static_cast<int64_t>(begin); i < end; ++i) {
    const char c = ByteAt(i);
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    const bool end_of_cdata = c == ']' && ByteAt(i + 1) == ']' && ByteAt(i + 2) == '>';
    return c != '\0' && c != '<' && c != '&' && !end_of_cdata;
  }
  return false;
}

StreamError ExpatParser::Error() const {
  const XML_Error code = XML_GetErrorCode(parser_);
  const std::string text(View(XML_ErrorString(code)));
  switch (code) {
    case XML_ERROR_UNDEFINED_ENTITY:
    case XML_ERROR_RECURSIVE_ENTITY_REF:
    case XML_ERROR_ASYNC_ENTITY:
    case XML_ERROR_BINARY_ENTITY_REF:
    case XML_ERROR_ATTRIBUTE_EXTERNAL_ENTITY_REF:
    case XML_ERROR_EXTERNAL_ENTITY_HANDLING:
    case XML_ERROR_ENTITY_DECLARED_IN_PE:
    case XML_ERROR_PARAM_ENTITY_REF:
    case XML_ERROR_AMPLIFICATION_LIMIT_BREACH:
      return {StreamCondition::kRestrictedXml, text, {}};
    case XML_ERROR_UNKNOWN_ENCODING:
    case XML_ERROR_INCORRECT_ENCODING:
      return {StreamCondition::kUnsupportedEncoding, text, {}};
    case XML_ERROR_NO_MEMORY:
      return {StreamCondition::kResourceConstraint, {}, {}};
    case XML_ERROR_INVALID_TOKEN:
      if (FailedAtDeclaration()) return {StreamCondition::kRestrictedXml, "declaration", {}};
      break;
    default:
      break;
  }
  return {StreamCondition::kNotWellFormed, text, {}};
}

}  // namespace xmpp
