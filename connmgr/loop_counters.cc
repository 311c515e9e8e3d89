#include "connmgr/loop_counters.h"

namespace connmgr {

const char* Name(ConnectionKind kind) {
  switch (kind) {
    case ConnectionKind::kTcp: return "tcp";
    case ConnectionKind::kStartTls: return "starttls";
    case ConnectionKind::kDirectTls: return "direct_tls";
  }
  return "";
}

const char* Name(Phase phase) {
  switch (phase) {
    case Phase::kConnecting: return "connecting";
    case Phase::kNegotiating: return "negotiating";
    case Phase::kSession: return "session";
    case Phase::kClosing: return "closing";
  }
  return "";
}

const char* Name(Refusal refusal) {
  switch (refusal) {
    case Refusal::kRate: return "rate";
    case Refusal::kHandshakes: return "handshakes";
    case Refusal::kConnections: return "connections";
    case Refusal::kDescriptors: return "descriptors";
    case Refusal::kAddress: return "address";
    case Refusal::kProxy: return "proxy";
  }
  return "";
}

const char* Name(CloseReason reason) {
  switch (reason) {
    case CloseReason::kStreamEnd: return "stream_end";
    case CloseReason::kSocket: return "socket";
    case CloseReason::kStreamError: return "stream_error";
    case CloseReason::kSlowConsumer: return "slow_consumer";
    case CloseReason::kTimeout: return "timeout";
    case CloseReason::kTls: return "tls";
    case CloseReason::kProxy: return "proxy";
    case CloseReason::kRefused: return "refused";
    case CloseReason::kOrder: return "order";
    case CloseReason::kDrain: return "drain";
  }
  return "";
}

const char* Name(Stage stage) {
  switch (stage) {
    case Stage::kReceive: return "receive";
    case Stage::kTls: return "tls";
    case Stage::kFraming: return "framing";
    case Stage::kSend: return "send";
  }
  return "";
}

}  // namespace connmgr
