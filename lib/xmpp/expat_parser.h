// expat behind a wall: the only file pair that includes <expat.h>.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/xmpp/stream_error.h"

struct XML_ParserStruct;

namespace xmpp {

// An expanded name as expat reports it; views into expat's memory, good during the callback.
struct ExpandedName {
  std::string_view ns, local, prefix;

  static ExpandedName Split(const char* name);
};

// Hears what the parser found. Nothing is reported after ExpatParser::Stop, except the end of the
// empty element whose start stopped it.
class ExpatSink {
 public:
  virtual void OnXmlDeclaration(std::string_view version, std::string_view encoding) = 0;
  virtual void OnNamespace(std::string_view prefix, std::string_view uri) = 0;
  virtual void OnNamespaceEnd() = 0;  // one declaration goes out of scope
  // `attributes`: name, value, … , nullptr; names for ExpandedName::Split.
  virtual void OnStart(const ExpandedName& name, const char* const* attributes) = 0;
  virtual void OnEnd(const ExpandedName& name) = 0;
  virtual void OnText(std::string_view text) = 0;
  virtual void OnCdataEdge(bool start) = 0;
  virtual void OnForbidden(std::string_view what) = 0;  // DOCTYPE, comment, PI

 protected:
  ~ExpatSink() = default;
};

// One expat parser in namespace mode, UTF-8 only, re-parse deferral off. Owned by a Framer or its
// pool; one thread.
class ExpatParser {
 public:
  enum class Status { kOk, kStopped, kError };

  ExpatParser();
  ~ExpatParser();
  ExpatParser(const ExpatParser&) = delete;
  ExpatParser& operator=(const ExpatParser&) = delete;

  void SetSink(ExpatSink* sink) { sink_ = sink; }  // nullptr: nobody hears
  Status Parse(std::string_view bytes, bool final);
  // From inside a callback: Parse returns kStopped. The parser is then good for Reset alone.
  void Stop();
  void Reset();  // as new

  // Bytes given to Parse since construction or Reset.
  uint64_t offset() const { return offset_; }
  char last_byte() const { return before_[1]; }  // given to Parse; a space before any
  // Inside a callback: the offset just behind what is being reported.
  uint64_t EventEnd() const;
  uint64_t EventSize() const;
  // After kError: what the stream error is.
  StreamError Error() const;
  // After kError: whether text other than white space, not reported any more, stands between
  // `begin` and the error.
  bool FailedBehindText(uint64_t begin) const;

 private:
  struct Callbacks;
  void Configure();
  bool FailedAtDeclaration() const;
  char ByteAt(int64_t offset) const;  // in the last chunk or up to two bytes before, else 0

  XML_ParserStruct* parser_;
  ExpatSink* sink_ = nullptr;
  uint64_t offset_ = 0;
  std::string_view chunk_;       // what Parse was given
  char before_[2] = {' ', ' '};  // the two bytes before chunk_
};

}  // namespace xmpp
