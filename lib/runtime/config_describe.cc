// How a configuration is shown: as YAML that can be read back, and as its manual.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <regex>

#include "lib/runtime/check.h"
#include "lib/runtime/config.h"
#include "lib/runtime/config_value.h"

namespace runtime {

// The compiled descriptors with their comments (embed.cmake).
extern const unsigned char kConfigDescriptors[];
extern const unsigned long kConfigDescriptorsSize;  // NOLINT: matches the generated file

namespace {

using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::SourceLocation;

// A password inside an address (postgresql://user:password@host) is a secret as well.
std::string HidePassword(const std::string& text) {
  static const std::regex kUrl("(://[^/@:]*:)[^/@]*@");
  return std::regex_replace(text, kUrl, "$1[secret]@");
}

void EmitScalar(YAML::Emitter& out, const Message& message, const FieldDescriptor* field,
                int index) {
  std::string text = ScalarText(message, field, index);
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    out << text;
  } else if (KeyOf(field).secret()) {
    out << YAML::DoubleQuoted << (text.empty() ? "" : "[secret]");
  } else {
    out << YAML::DoubleQuoted << HidePassword(text);
  }
}

void EmitMessage(YAML::Emitter& out, const Message& message) {
  const Descriptor* type = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  out << YAML::BeginMap;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    out << YAML::Key << field->name() << YAML::Value;
    if (field->is_repeated()) {
      int size = reflection->FieldSize(message, field);
      out << (IsMessage(field) && size > 0 ? YAML::Block : YAML::Flow) << YAML::BeginSeq;
      for (int item = 0; item < size; ++item) {
        if (IsMessage(field)) {
          EmitMessage(out, reflection->GetRepeatedMessage(message, field, item));
        } else {
          EmitScalar(out, message, field, item);
        }
      }
      out << YAML::EndSeq;
    } else if (IsMessage(field)) {
      EmitMessage(out, reflection->GetMessage(message, field));
    } else {
      EmitScalar(out, message, field, -1);
    }
  }
  out << YAML::EndMap;
}

const DescriptorPool& CommentedPool() {
  static const DescriptorPool* pool = [] {
    google::protobuf::FileDescriptorSet set;
    CHECK(set.ParseFromArray(kConfigDescriptors, static_cast<int>(kConfigDescriptorsSize)));
    auto* made = new DescriptorPool;
    for (const auto& file : set.file()) CHECK(made->BuildFile(file) != nullptr);
    return made;
  }();
  return *pool;
}

// Comment lines joined to one paragraph, safe inside a table.
template <typename T>
std::string CommentOf(const T* described) {
  SourceLocation location;
  if (!described->GetSourceLocation(&location)) return {};
  std::string text = location.leading_comments + " " + location.trailing_comments, out;
  for (char c : text) {
    bool space = c == '\n' || c == ' ';
    if (space && (out.empty() || out.back() == ' ')) continue;
    if (c == '|') out += '\\';
    out += space ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string Code(const std::string& text) { return text.empty() ? "" : "`" + text + "`"; }

void DescribeSection(const Descriptor* type, const std::string& path, const std::string& comment,
                     std::string* out) {
  *out += path.empty() ? "## Top level\n\n" : "\n## " + path + "\n\n";
  std::string about = comment.empty() ? CommentOf(type) : comment;
  if (!about.empty()) *out += about + "\n\n";
  std::string rows;
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (IsMessage(field)) continue;
    const xylem::config::Key& key = KeyOf(field);
    std::string meaning = CommentOf(field);
    if (key.required()) meaning += (meaning.empty() ? "" : " ") + std::string("Required.");
    if (key.secret()) {
      meaning += (meaning.empty() ? "" : " ") + std::string("Or `") + field->name() +
                 "_file: PATH`, or `${env:NAME}`.";
    }
    rows += "| `" + field->name() + "` | " + TypeName(field) + " | " + Code(key.default_()) +
            " | " + BoundsText(field) + " | " + (key.reloadable() ? "SIGHUP" : "restart") + " | " +
            meaning + " |\n";
  }
  if (!rows.empty()) {
    *out +=
        "| key | type | default | bounds | takes effect | meaning |\n|---|---|---|---|---|---|\n";
    *out += rows;
  }
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (!IsMessage(field)) continue;
    std::string name = path.empty() ? field->name() : path + "." + field->name();
    if (field->is_repeated()) name += "[]";
    DescribeSection(field->message_type(), name, CommentOf(field), out);
  }
}

}  // namespace

std::string PrintConfig(const Message& config) {
  YAML::Emitter out;
  EmitMessage(out, config);
  return std::string(out.c_str()) + "\n";
}

std::string DescribeConfig(const Message& config) {
  const Descriptor* type =
      CommentedPool().FindMessageTypeByName(config.GetDescriptor()->full_name());
  CHECK(type != nullptr);
  std::string name = type->name();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string out = "# Configuration of " + name + "\n\n" +
                    "Sources, the later wins: the file (`--config`), the environment "
                    "(`XYLEM_SECTION__KEY`), `--set section.key=value`.\n\n";
  DescribeSection(type, "", "", &out);
  return out;
}

}  // namespace runtime
