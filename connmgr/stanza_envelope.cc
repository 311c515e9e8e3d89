#include "connmgr/stanza_envelope.h"

#include "lib/runtime/rpc_batch.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {

std::string WriteEnvelope(const xmpp::Stanza& stanza) {
  using xylem::v1::Envelope;
  std::string out;
  // Numbers, tags and lengths take less than 64 bytes.
  out.reserve(64 + stanza.id.size() + stanza.to.size() + stanza.from.size() +
              stanza.payload_ns.size() + stanza.payload_name.size() + stanza.lang.size() +
              stanza.bytes.size());
  runtime::WireWriter writer(&out);
  writer.Uint(Envelope::kKindFieldNumber, static_cast<uint64_t>(stanza.kind));
  writer.Uint(Envelope::kTypeFieldNumber, static_cast<uint64_t>(stanza.type));
  writer.Bytes(Envelope::kIdFieldNumber, stanza.id);
  writer.Bytes(Envelope::kToFieldNumber, stanza.to);
  writer.Bytes(Envelope::kFromFieldNumber, stanza.from);
  writer.Bytes(Envelope::kPayloadNamespaceFieldNumber, stanza.payload_ns);
  writer.Bytes(Envelope::kPayloadNameFieldNumber, stanza.payload_name);
  writer.Bytes(Envelope::kLanguageFieldNumber, stanza.lang);
  writer.Uint(Envelope::kFlagsFieldNumber, stanza.flags);
  writer.Uint(Envelope::kVerdictFieldNumber, static_cast<uint64_t>(stanza.verdict));
  writer.Bytes(Envelope::kBodyFieldNumber, stanza.bytes);
  return out;
}

}  // namespace connmgr
