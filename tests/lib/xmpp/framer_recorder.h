// What a framer reported, as text: one line an event, so that two readings can be compared.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/xmpp/framer.h"
#include "lib/xmpp/namespaces.h"

namespace xmpp {

class FramerRecorder : public FramerEvents {
 public:
  bool OnStreamHeader(StreamHeader h) override {
    headers.push_back(h);
    return Note("header to=" + h.to + " from=" + h.from + " id=" + h.id + " lang=" + h.lang +
                " version=" + h.version + " ns=" + h.content_ns);
  }
  bool OnStanza(Stanza s) override {
    stanzas.push_back(s);
    return Note("stanza " + std::to_string(static_cast<int>(s.kind)) + "/" +
                std::to_string(static_cast<int>(s.type)) + "/" +
                std::to_string(static_cast<int>(s.verdict)) + " flags=" + std::to_string(s.flags) +
                " id=" + s.id + " to=" + s.to + " from=" + s.from + " lang=" + s.lang + " {" +
                s.payload_ns + "}" + s.payload_name + " " + s.bytes);
  }
  bool OnStreamEnd() override { return Note("end"); }
  void OnStreamError(StreamError e) override {
    errors.push_back(e);
    Note("error " + std::string(ConditionName(e.condition)) + e.app_condition);
  }

  // "" if there was none.
  std::string Condition() const {
    return errors.empty() ? "" : std::string(ConditionName(errors.back().condition));
  }

  std::vector<std::string> log;
  std::vector<StreamHeader> headers;
  std::vector<Stanza> stanzas;
  std::vector<StreamError> errors;
  size_t stop_after = SIZE_MAX;  // events

 private:
  bool Note(std::string line) {
    log.push_back(std::move(line));
    return log.size() < stop_after;
  }
};

inline constexpr std::string_view kTestHeader =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
    "to='localhost' version='1.0'>";

}  // namespace xmpp
