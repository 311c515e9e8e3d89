// The opening tags of a stream: what a client's must say, what ours says (RFC 6120 §4.7).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "connmgr/served_domains.h"
#include "connmgr/settings.h"
#include "lib/xmpp/framer.h"
#include "lib/xmpp/stream_error.h"

namespace connmgr {

// `domain`: the header's `to`, normalised; the first served domain where it names none, or one that
// cannot be read. `error`: what the stream gets instead of features.
struct HeaderVerdict {
  std::string domain;
  std::optional<xmpp::StreamError> error;
};

// `sni`: the name the TLS layer was asked for; empty = none. `account`: the bare JID authenticated
// on this connection; empty before.
HeaderVerdict JudgeStreamHeader(const xmpp::StreamHeader& header, const Settings& settings,
                                const ServedDomains& served, std::string_view sni,
                                std::string_view account);

// Our opening tag, with a stream id nobody can guess. `to`: the bare JID of the client's `from`.
std::string WriteStreamHeader(std::string_view domain, const xmpp::StreamHeader& request);

// 128 random bits, in hex (RFC 6120 §4.7.3).
std::string RandomStreamId();

}  // namespace connmgr
