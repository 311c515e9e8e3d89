#include "business/link/taken_reader.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <limits>

namespace business {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

CodedInputStream Over(std::string_view bytes) {
  return CodedInputStream(reinterpret_cast<const uint8_t*>(bytes.data()),
                          static_cast<int>(bytes.size()));
}

DeliverOutcome OutcomeOf(uint64_t reason) {
  switch (reason) {
    case 1:
      return DeliverOutcome::kNotHere;
    case 2:
      return DeliverOutcome::kOverflowed;
    case 3:
      return DeliverOutcome::kBehind;
    default:
      return DeliverOutcome::kUnknown;
  }
}

constexpr uint32_t Tag(int field, WireFormatLite::WireType type) {
  return static_cast<uint32_t>(field) << 3 | static_cast<uint32_t>(type);
}
constexpr auto kVarint = WireFormatLite::WIRETYPE_VARINT;
constexpr auto kBytes = WireFormatLite::WIRETYPE_LENGTH_DELIMITED;

bool ReadRefused(CodedInputStream* in, Taken::Refused* refused) {
  while (uint32_t tag = in->ReadTag()) {
    uint64_t value = 0;
    switch (tag) {
      case Tag(1, kVarint):
        if (!in->ReadVarint64(&refused->number)) return false;
        break;
      case Tag(2, kVarint):
        if (!in->ReadVarint64(&value) || value > std::numeric_limits<uint32_t>::max()) return false;
        refused->target = static_cast<uint32_t>(value);
        break;
      case Tag(3, kVarint):
        if (!in->ReadVarint64(&value)) return false;
        refused->outcome = OutcomeOf(value);
        break;
      default:
        if (!WireFormatLite::SkipField(in, tag)) return false;
    }
  }
  return in->ConsumedEntireMessage();
}

}  // namespace

bool ReadTaken(std::string_view serialised, Taken* taken) {
  taken->up_to = 0;
  taken->refused.clear();
  CodedInputStream in = Over(serialised);
  while (uint32_t tag = in.ReadTag()) {
    switch (tag) {
      case Tag(1, kVarint):
        if (!in.ReadVarint64(&taken->up_to)) return false;
        break;
      case Tag(2, kBytes): {
        uint32_t size;
        if (!in.ReadVarint32(&size) || size > serialised.size()) return false;
        const auto limit = in.PushLimit(static_cast<int>(size));
        if (!ReadRefused(&in, &taken->refused.emplace_back())) return false;
        in.PopLimit(limit);
        break;
      }
      default:
        if (!WireFormatLite::SkipField(&in, tag)) return false;
    }
  }
  return in.ConsumedEntireMessage();
}

}  // namespace business
