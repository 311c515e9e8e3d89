// One configuration value: its text in YAML and its protobuf field. Used by config*.cc only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/config/options.pb.h"

namespace google::protobuf {
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace runtime {

const xylem::config::Key& KeyOf(const google::protobuf::FieldDescriptor* field);
bool IsMessage(const google::protobuf::FieldDescriptor* field);

// Sets a singular scalar field, adds to a repeated one. Returns what is wrong with `text` and what
// would be right; empty = done. A secret's text never gets into the sentence.
std::string SetScalar(google::protobuf::Message* message,
                      const google::protobuf::FieldDescriptor* field, std::string_view text);

// The inverse: "5m" for a unit-MS field. `index` counts in a repeated field, -1 = singular.
std::string ScalarText(const google::protobuf::Message& message,
                       const google::protobuf::FieldDescriptor* field, int index);

// "duration", "size", "whole number", "yes or no", "text" …
std::string TypeName(const google::protobuf::FieldDescriptor* field);
// "1s to 10m"; empty when any value will do.
std::string BoundsText(const google::protobuf::FieldDescriptor* field);

}  // namespace runtime
