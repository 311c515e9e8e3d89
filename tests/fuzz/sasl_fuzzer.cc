// SASL: whatever a client says, the exchange ends in order, and nobody gets in without the keys.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/xmpp/jid.h"
#include "lib/xmpp/sasl/scram_message.h"
#include "lib/xmpp/sasl/server_exchange.h"

namespace {

using xmpp::sasl::ChannelBindings;
using xmpp::sasl::Hash;
using xmpp::sasl::Offer;
using xmpp::sasl::ScramClient;
using xmpp::sasl::ScramKeys;
using xmpp::sasl::ServerExchange;
using xmpp::sasl::Step;

constexpr const char* kMechanisms[] = {
    "SCRAM-SHA-1",        "SCRAM-SHA-256",      "SCRAM-SHA-512", "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS", "PLAIN"};

void Require(bool holds) {
  if (!holds) std::abort();
}

const ScramKeys& StoredKeys(Hash hash) {
  static const ScramKeys keys[] = {
      xmpp::sasl::DeriveKeys(Hash::kSha1, "right", "0123456789abcdef", 4096),
      xmpp::sasl::DeriveKeys(Hash::kSha256, "right", "0123456789abcdef", 4096),
      xmpp::sasl::DeriveKeys(Hash::kSha512, "right", "0123456789abcdef", 4096)};
  return keys[static_cast<int>(hash)];
}

void TestParsers(const std::string& text) {
  if (const auto raw = xmpp::sasl::DecodeBase64(text); raw && !raw->empty()) {
    Require(xmpp::sasl::EncodeBase64(*raw) == text);
  }
  Require(xmpp::sasl::DecodeBase64(xmpp::sasl::EncodeBase64(text)) == text);
  if (const auto first = xmpp::sasl::ParseClientFirst(text)) {
    Require(std::string(first->gs2_header).append(first->bare) == text);
    Require(!first->username.empty() && !first->nonce.empty());
  }
  if (const auto final_message = xmpp::sasl::ParseClientFinal(text)) {
    Require(text.starts_with(final_message->without_proof));
  }
  if (const auto name = xmpp::sasl::UnescapeName(text)) {
    Require(xmpp::sasl::EscapeName(*name) == text);
  }
  if (!text.empty()) Require(xmpp::sasl::UnescapeName(xmpp::sasl::EscapeName(text)) == text);
  xmpp::sasl::ParseServerFirst(text);
}

// A client's message: of a real client that has the wrong password, damaged or not, or any bytes.
std::string NextMessage(FuzzedDataProvider& input, const std::string& honest) {
  std::string message = input.ConsumeBool() ? honest : input.ConsumeRandomLengthString(300);
  if (!message.empty() && input.ConsumeBool()) {
    message[input.ConsumeIntegralInRange<size_t>(0, message.size() - 1)] =
        input.ConsumeIntegral<char>();
  }
  return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider input(data, size);
  const ChannelBindings bindings{.tls_exporter = input.ConsumeBool() ? "exported key" : "",
                                 .tls_server_end_point = input.ConsumeBool() ? "certificate" : ""};
  const Offer offer = xmpp::sasl::MakeOffer(input.ConsumeBool(), bindings, {});
  const std::string mechanism = input.PickValueInArray(kMechanisms);
  const bool user_exists = input.ConsumeBool();
  const auto exchange = ServerExchange::Start(mechanism, offer, bindings, "example.org");

  const auto scram = xmpp::sasl::FindScram(mechanism);
  ScramClient client(scram ? scram->hash : Hash::kSha1, "juliet", "wrong");
  switch (input.ConsumeIntegralInRange(0, 3)) {
    case 1:
      client.SetCanBind();
      break;
    case 2:
      client.Bind("tls-exporter", "exported key");
      break;
    case 3:
      client.Bind("tls-server-end-point", "certificate");
      break;
    default:
      break;
  }
  if (input.ConsumeBool()) client.SetAuthzid(input.ConsumeRandomLengthString(40));

  std::string honest = scram ? client.First() : std::string("\0juliet\0wrong", 13);
  for (int turn = 0; exchange && turn < 5; ++turn) {
    Step step = Step::Failure("");
    switch (input.ConsumeIntegralInRange(0, 7)) {
      case 0:
        step = exchange->Respond(std::nullopt);
        break;
      case 1:  // out of turn
        step = exchange->SetPasswordResult(false);
        break;
      case 2:
        step = exchange->SetKeys(
            StoredKeys(input.PickValueInArray({Hash::kSha1, Hash::kSha256, Hash::kSha512})), true);
        break;
      default:
        step = exchange->Respond(NextMessage(input, honest));
        break;
    }
    if (step.kind == Step::Kind::kNeedKeys) {
      Require(xmpp::NormalizeLocalpart(step.username) == step.username);
      step = exchange->SetKeys(StoredKeys(step.hash), user_exists);
    }
    if (step.kind == Step::Kind::kCheckPassword) {
      Require(xmpp::NormalizeLocalpart(step.username) == step.username);
      Require(xmpp::PreparePassword(step.password) == step.password);
      step = exchange->SetPasswordResult(false);
    }
    Require(step.kind != Step::Kind::kSuccess);
    if (step.kind == Step::Kind::kFailure) {
      Require(!step.condition.empty());
      Require(exchange->Respond(honest).kind == Step::Kind::kFailure);
      break;
    }
    if (!step.data.empty()) {
      const auto answer = client.Final(step.data);
      honest = answer ? *answer : "";
    }
  }

  const std::string rest = input.ConsumeRemainingBytesAsString();
  TestParsers(rest);
  client.Verify(rest);
  return 0;
}
