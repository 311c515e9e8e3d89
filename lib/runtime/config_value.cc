#include "lib/runtime/config_value.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace runtime {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using xylem::config::Key;

struct UnitName {
  std::string_view name;
  int64_t factor;
};
// Largest first: how a value is printed.
constexpr UnitName kDurations[] = {
    {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr UnitName kSizes[] = {{"GiB", int64_t{1} << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}};

std::optional<double> ParseDouble(std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// "1.5s" with a table of units; a bare number is in the base unit.
template <size_t N>
std::optional<int64_t> ParseWithUnit(std::string_view text, const UnitName (&units)[N],
                                     std::string_view base) {
  size_t digits = text.find_first_not_of("0123456789.");
  std::string_view number = text.substr(0, digits);
  std::string_view unit = digits == std::string_view::npos ? base : text.substr(digits);
  std::optional<double> value = ParseDouble(number);
  if (!value) return std::nullopt;
  int64_t factor = unit == base ? 1 : 0;
  for (const UnitName& known : units) {
    if (known.name == unit) factor = known.factor;
  }
  double scaled = *value * static_cast<double>(factor);
  if (factor == 0 || scaled > 9e18 || scaled != std::floor(scaled)) return std::nullopt;
  return static_cast<int64_t>(scaled);
}

template <size_t N>
std::string FormatWithUnit(int64_t value, const UnitName (&units)[N]) {
  for (const UnitName& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(value);
}

std::string FormatNumber(const Key& key, int64_t value) {
  if (key.unit() == xylem::config::MS) return FormatWithUnit(value, kDurations);
  if (key.unit() == xylem::config::BYTES) return FormatWithUnit(value, kSizes);
  return std::to_string(value);
}

std::optional<int64_t> ParseNumber(const Key& key, std::string_view text) {
  if (key.unit() == xylem::config::MS) return ParseWithUnit(text, kDurations, "ms");
  if (key.unit() == xylem::config::BYTES) return ParseWithUnit(text, kSizes, "B");
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> ParseBool(std::string_view text) {
  for (std::string_view yes : {"true", "yes", "on", "True", "Yes", "On"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"false", "no", "off", "False", "No", "Off"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::string OneOfText(const Key& key) {
  std::string out;
  for (int i = 0; i < key.one_of_size(); ++i) {
    if (i > 0) out += i + 1 == key.one_of_size() ? " or " : ", ";
    out += key.one_of(i);
  }
  return out;
}

// What `field`'s C++ type can hold.
void TypeRange(const FieldDescriptor* field, int64_t* low, int64_t* high) {
  *low = std::numeric_limits<int64_t>::min();
  *high = std::numeric_limits<int64_t>::max();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      *low = std::numeric_limits<int32_t>::min();
      *high = std::numeric_limits<int32_t>::max();
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      *low = 0;
      *high = std::numeric_limits<uint32_t>::max();
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      *low = 0;
      break;
    default:
      break;
  }
  if (KeyOf(field).unit() != xylem::config::NONE) *low = 0;
}

std::string NumberError(const FieldDescriptor* field) {
  switch (KeyOf(field).unit()) {
    case xylem::config::MS:
      return "is not a duration; write it as 250ms, 30s, 5m or 2h";
    case xylem::config::BYTES:
      return "is not a size; write it as 4096, 256KiB or 4MiB";
    default:
      return "is not a whole number";
  }
}

template <typename T>
void Store(Message* message, const FieldDescriptor* field, T value,
           void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
           void (Reflection::*add)(Message*, const FieldDescriptor*, T) const) {
  (message->GetReflection()->*(field->is_repeated() ? add : set))(message, field, value);
}

std::string SetInteger(Message* message, const FieldDescriptor* field, std::string_view text) {
  const Key& key = KeyOf(field);
  std::optional<int64_t> value = ParseNumber(key, text);
  if (!value) return NumberError(field);
  int64_t low, high;
  TypeRange(field, &low, &high);
  if (key.bounded()) {
    low = key.min();
    high = key.max();
  }
  if (*value < low || *value > high) {
    return "is out of bounds; must be " + FormatNumber(key, low) + " to " + FormatNumber(key, high);
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      Store(message, field, static_cast<int32_t>(*value), &Reflection::SetInt32,
            &Reflection::AddInt32);
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      Store(message, field, *value, &Reflection::SetInt64, &Reflection::AddInt64);
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      Store(message, field, static_cast<uint32_t>(*value), &Reflection::SetUInt32,
            &Reflection::AddUInt32);
      break;
    default:
      Store(message, field, static_cast<uint64_t>(*value), &Reflection::SetUInt64,
            &Reflection::AddUInt64);
  }
  return {};
}

std::string SetText(Message* message, const FieldDescriptor* field, std::string_view text) {
  const Key& key = KeyOf(field);
  if (key.one_of_size() > 0) {
    bool known = false;
    for (const std::string& choice : key.one_of()) known = known || choice == text;
    if (!known) return "is not one of the choices; must be " + OneOfText(key);
  }
  if (text.find('\0') != std::string_view::npos) return "must not hold a NUL byte";
  const Reflection* reflection = message->GetReflection();
  if (field->is_repeated()) {
    reflection->AddString(message, field, std::string(text));
  } else {
    reflection->SetString(message, field, std::string(text));
  }
  return {};
}

}  // namespace

const Key& KeyOf(const FieldDescriptor* field) {
  return field->options().GetExtension(xylem::config::key);
}

bool IsMessage(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
}

std::string SetScalar(Message* message, const FieldDescriptor* field, std::string_view text) {
  std::string error;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL: {
      std::optional<bool> value = ParseBool(text);
      if (value) {
        Store(message, field, *value, &Reflection::SetBool, &Reflection::AddBool);
      } else {
        error = "is not a yes or no; must be true or false";
      }
      break;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      error = SetText(message, field, text);
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      std::optional<double> value = ParseDouble(text);
      if (!value) {
        error = "is not a number";
      } else if (KeyOf(field).bounded() && (*value < static_cast<double>(KeyOf(field).min()) ||
                                            *value > static_cast<double>(KeyOf(field).max()))) {
        error = "is out of bounds; must be " + BoundsText(field);
      } else {
        Store(message, field, *value, &Reflection::SetDouble, &Reflection::AddDouble);
      }
      break;
    }
    default:
      error = SetInteger(message, field, text);
  }
  if (error.empty() || KeyOf(field).secret()) return error;
  return "\"" + std::string(text) + "\" " + error;
}

std::string ScalarText(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection* r = message.GetReflection();
  const Key& key = KeyOf(field);
  bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return (one ? r->GetBool(message, field) : r->GetRepeatedBool(message, field, index))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return one ? r->GetString(message, field) : r->GetRepeatedString(message, field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value =
          one ? r->GetDouble(message, field) : r->GetRepeatedDouble(message, field, index);
      char text[32];
      auto end = std::to_chars(text, text + sizeof text, value).ptr;
      return {text, end};
    }
    case FieldDescriptor::CPPTYPE_INT32:
      return FormatNumber(
          key, one ? r->GetInt32(message, field) : r->GetRepeatedInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_INT64:
      return FormatNumber(
          key, one ? r->GetInt64(message, field) : r->GetRepeatedInt64(message, field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return FormatNumber(
          key, one ? r->GetUInt32(message, field) : r->GetRepeatedUInt32(message, field, index));
    default:
      return FormatNumber(key,
                          static_cast<int64_t>(one ? r->GetUInt64(message, field)
                                                   : r->GetRepeatedUInt64(message, field, index)));
  }
}

std::string TypeName(const FieldDescriptor* field) {
  std::string name;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      name = "true or false";
      break;
    case FieldDescriptor::CPPTYPE_STRING:
      name = "text";
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      name = "number";
      break;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      name = "section";
      break;
    default:
      name = KeyOf(field).unit() == xylem::config::MS      ? "duration"
             : KeyOf(field).unit() == xylem::config::BYTES ? "size"
                                                           : "whole number";
  }
  if (KeyOf(field).secret()) name = "secret";
  return field->is_repeated() ? "list of " + name : name;
}

std::string BoundsText(const FieldDescriptor* field) {
  const Key& key = KeyOf(field);
  if (key.one_of_size() > 0) return OneOfText(key);
  if (!key.bounded()) return {};
  return FormatNumber(key, key.min()) + " to " + FormatNumber(key, key.max());
}

}  // namespace runtime
