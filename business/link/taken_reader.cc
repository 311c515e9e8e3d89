#include "business/link/taken_reader.h"

#include <limits>

#include "lib/runtime/wire_reader.h"

namespace business {
namespace {

using runtime::WireReader;

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

bool ReadRefused(std::string_view serialised, Taken::Refused* refused) {
  WireReader reader(serialised);
  while (reader.Next()) {
    switch (reader.field()) {
      case 1:
        refused->number = reader.number();
        break;
      case 2:
        if (reader.number() > std::numeric_limits<uint32_t>::max()) return false;
        refused->target = static_cast<uint32_t>(reader.number());
        break;
      case 3:
        refused->outcome = OutcomeOf(reader.number());
        break;
      default:
        break;
    }
  }
  return !reader.malformed();
}

}  // namespace

bool ReadTaken(std::string_view serialised, Taken* taken) {
  taken->up_to = 0;
  taken->refused.clear();
  WireReader reader(serialised);
  while (reader.Next()) {
    if (reader.field() == 1) {
      taken->up_to = reader.number();
    } else if (reader.field() == 2) {
      if (!ReadRefused(reader.bytes(), &taken->refused.emplace_back())) return false;
    }
  }
  return !reader.malformed();
}

}  // namespace business
