// What a client asks of an archive: XEP-0313 §4 as a value.
#pragma once

#include <string>
#include <variant>

#include "business/history/history_options.h"
#include "business/store/archive_store.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

struct ArchiveRequest {
  std::string query_id;
  ArchiveQuery query;
  // Nothing is left out by contact, text, end or ids: its newest row is the archive's newest that
  // the client knows.
  bool unfiltered = false;
};

// `query`: the iq's <query/>. For its limits see tests/attacks, row 39.
std::variant<ArchiveRequest, xmpp::StanzaError> ReadArchiveRequest(const xmpp::Element& query,
                                                                   const HistoryOptions& options);

// §4.1.5: the fields that ReadArchiveRequest knows.
xmpp::Element ArchiveForm();

}  // namespace business
