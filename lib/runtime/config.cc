#include "lib/runtime/config.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "lib/runtime/config_value.h"

extern "C" char** environ;

namespace runtime {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::string_view kFileSuffix = "_file";
constexpr std::string_view kPlaceholder = "[secret]";  // what PrintConfig writes

std::string Join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string UnknownKey(const Descriptor* type, std::string_view name) {
  std::string nearest, all;
  size_t best = std::max<size_t>(name.size() / 3, 1) + 1;
  auto consider = [&](const std::string& key) {
    all += (all.empty() ? "" : ", ") + key;
    size_t distance = EditDistance(name, key);
    if (distance < best) {
      best = distance;
      nearest = key;
    }
  };
  for (int i = 0; i < type->field_count(); ++i) {
    consider(type->field(i)->name());
    if (KeyOf(type->field(i)).secret()) {
      consider(type->field(i)->name() + std::string(kFileSuffix));
    }
  }
  if (!nearest.empty()) return "unknown key; did you mean " + nearest + "?";
  return "unknown key; known here: " + all;
}

// Reads one source after the other onto the message, remembers what was given, and collects every
// error instead of stopping at the first.
class ConfigLoader {
 public:
  explicit ConfigLoader(Message* config) : config_(config) {}

  void ReadFile(const std::string& file) {
    source_ = file;
    in_file_ = true;
    if (!Slurp(file, &text_)) {
      errors_.push_back(file + ": cannot be read: " + std::strerror(errno));
      return;
    }
    std::vector<YAML::Node> documents;
    try {
      documents = YAML::LoadAll(text_);
    } catch (const YAML::Exception& e) {
      errors_.push_back(file + ":" + std::to_string(e.mark.line + 1) + ": not YAML: " + e.msg);
      return;
    }
    if (documents.size() > 1) {
      Complain(documents[1], "", "a second document; one file holds one configuration");
    } else if (!documents.empty()) {
      ApplyMessage(documents[0], config_, "");
    }
    in_file_ = false;
  }

  // XYLEM_C2S__TLS: a double underscore stands for the dot. A variable whose first part is no key
  // of this process is someone else's (Kubernetes sets XYLEM_BUSINESS_PORT and the like).
  void ReadEnvironment(const std::string& prefix) {
    std::vector<std::string> variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (std::strncmp(*entry, prefix.c_str(), prefix.size()) == 0) variables.emplace_back(*entry);
    }
    std::sort(variables.begin(), variables.end());
    for (const std::string& variable : variables) {
      size_t equals = variable.find('=');
      std::string name = variable.substr(0, equals);
      std::string path;
      for (size_t i = prefix.size(); i < name.size(); ++i) {
        if (name.compare(i, 2, "__") == 0) {
          path += '.';
          ++i;
        } else {
          path += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
        }
      }
      std::string first = path.substr(0, path.find('.'));
      if (FindField(config_->GetDescriptor(), first) == nullptr) continue;
      source_ = "environment " + name;
      ApplyPath(path, variable.substr(equals + 1));
    }
  }

  void ReadSet(const std::vector<std::string>& settings) {
    in_argv_ = true;
    for (const std::string& setting : settings) {
      size_t equals = setting.find('=');
      source_ = "--set " + setting.substr(0, equals);
      if (equals == std::string::npos) {
        errors_.push_back(source_ + ": write it as KEY=VALUE");
        continue;
      }
      ApplyPath(setting.substr(0, equals), setting.substr(equals + 1));
    }
    in_argv_ = false;
  }

  void Finish(const std::string& file) {
    source_ = file.empty() ? "configuration" : file;
    FillDefaults(config_, "");
  }

  std::vector<std::string> TakeErrors() { return std::move(errors_); }

 private:
  static bool Slurp(const std::string& file, std::string* text) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream all;
    all << in.rdbuf();
    *text = all.str();
    return in.good() || (in.is_open() && in.eof());
  }

  // The field named `name`; for "x_file" of a secret x, x itself with `from_file` set.
  static const FieldDescriptor* FindField(const Descriptor* type, std::string_view name,
                                          bool* from_file = nullptr) {
    if (from_file != nullptr) *from_file = false;
    const FieldDescriptor* field = type->FindFieldByName(std::string(name));
    if (field != nullptr) return field;
    if (!name.ends_with(kFileSuffix)) return nullptr;
    name.remove_suffix(kFileSuffix.size());
    field = type->FindFieldByName(std::string(name));
    if (field == nullptr || !KeyOf(field).secret()) return nullptr;
    if (from_file != nullptr) *from_file = true;
    return field;
  }

  void Complain(const YAML::Node& node, const std::string& path, const std::string& what) {
    std::string error = source_;
    if (in_file_ && node.Mark().line >= 0) error += ":" + std::to_string(node.Mark().line + 1);
    errors_.push_back(error + ": " + (path.empty() ? "" : path + ": ") + what);
  }

  void ApplyMessage(const YAML::Node& node, Message* message, const std::string& path) {
    if (node.IsNull()) return;  // a section whose keys are all commented out
    if (!node.IsMap()) {
      Complain(node, path, "expected a section with keys, as `key: value` lines");
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      bool from_file = false;
      const FieldDescriptor* field = FindField(message->GetDescriptor(), name, &from_file);
      if (field == nullptr) {
        Complain(entry.first, Join(path, name), UnknownKey(message->GetDescriptor(), name));
      } else if (!seen.insert(field->name()).second) {
        Complain(entry.first, Join(path, name),
                 from_file || name != field->name() ? "given twice; give the value or the file"
                                                    : "given twice; one of them must go");
      } else {
        ApplyField(entry.second, message, field, from_file, Join(path, name));
      }
    }
  }

  void ApplyField(const YAML::Node& node, Message* message, const FieldDescriptor* field,
                  bool from_file, const std::string& path) {
    if (field->is_repeated()) {
      ApplyList(node, message, field, path);
    } else if (IsMessage(field)) {
      ApplyMessage(node, message->GetReflection()->MutableMessage(message, field), path);
    } else {
      given_.insert(from_file ? path.substr(0, path.size() - kFileSuffix.size()) : path);
      ApplyScalar(node, message, field, from_file, path);
    }
  }

  void ApplyList(const YAML::Node& node, Message* message, const FieldDescriptor* field,
                 const std::string& path) {
    if (!node.IsSequence()) {
      Complain(node, path, "expected a list, as [a, b]");
      return;
    }
    message->GetReflection()->ClearField(message, field);
    // What an earlier source gave inside the list is gone with it.
    std::string inside = path + ".";
    for (auto it = given_.lower_bound(inside); it != given_.end() && it->starts_with(inside);) {
      it = given_.erase(it);
    }
    given_.insert(path);
    for (size_t i = 0; i < node.size(); ++i) {
      std::string item = Join(path, std::to_string(i));
      if (IsMessage(field)) {
        ApplyMessage(node[i], message->GetReflection()->AddMessage(message, field), item);
      } else {
        ApplyScalar(node[i], message, field, false, item);
      }
    }
  }

  void ApplyScalar(const YAML::Node& node, Message* message, const FieldDescriptor* field,
                   bool from_file, const std::string& path) {
    if (node.IsNull()) {
      Complain(node, path, "has no value; expected " + TypeName(field));
      return;
    }
    if (!node.IsScalar()) {
      Complain(node, path, "expected one value (" + TypeName(field) + "), not a list or section");
      return;
    }
    ApplyText(node, node.Scalar(), message, field, from_file, path);
  }

  void ApplyText(const YAML::Node& node, std::string text, Message* message,
                 const FieldDescriptor* field, bool from_file, const std::string& path) {
    bool literal = text.find("${env:") == std::string::npos;
    if (std::string error = Substitute(&text); !error.empty()) {
      Complain(node, path, error);
      return;
    }
    if (from_file) {
      std::string file = text;
      if (!Slurp(file, &text)) {
        Complain(node, path, "\"" + file + "\" cannot be read: " + std::strerror(errno));
        return;
      }
      if (text.ends_with('\n')) text.pop_back();
      if (text.ends_with('\r')) text.pop_back();
    } else if (KeyOf(field).secret() && !text.empty()) {
      if (in_argv_ && literal) {
        Complain(node, path,
                 "a secret must not stand on the command line; give " + field->name() +
                     "_file=PATH or ${env:NAME}");
        return;
      }
      if (text == kPlaceholder) {
        Complain(node, path,
                 "is the placeholder of a printed configuration; give " + field->name() +
                     "_file: PATH or ${env:NAME}");
        return;
      }
    }
    std::string error = SetScalar(message, field, text);
    if (!error.empty()) Complain(node, path, error);
  }

  static std::string Substitute(std::string* text) {
    constexpr std::string_view kOpen = "${env:";
    for (size_t at = 0; (at = text->find(kOpen, at)) != std::string::npos;) {
      size_t end = text->find('}', at);
      if (end == std::string::npos) return "${env:NAME} lacks its closing brace";
      std::string name = text->substr(at + kOpen.size(), end - at - kOpen.size());
      const char* value = std::getenv(name.c_str());
      if (value == nullptr) return "the environment has no " + name;
      text->replace(at, end + 1 - at, value);
      at += std::strlen(value);
    }
    return {};
  }

  // "c2s.listeners.0.address" with its value as text.
  void ApplyPath(const std::string& path, const std::string& value) {
    Message* message = config_;
    std::string done;
    size_t begin = 0;
    for (;;) {
      size_t dot = path.find('.', begin);
      std::string name = path.substr(begin, dot - begin);
      bool last = dot == std::string::npos;
      bool from_file = false;
      const FieldDescriptor* field = FindField(message->GetDescriptor(), name, &from_file);
      done = Join(done, name);
      if (field == nullptr) {
        Complain({}, done, UnknownKey(message->GetDescriptor(), name));
        return;
      }
      if (last) {
        ApplyValue(value, message, field, from_file, done);
        return;
      }
      begin = dot + 1;
      if (field->is_repeated()) {
        dot = path.find('.', begin);
        int index = ListIndex(path.substr(begin, dot - begin), *message, field, done);
        if (index < 0) return;
        last = dot == std::string::npos;
        if (!IsMessage(field)) {
          SetListItem(value, last, index, message, field, done);
          return;
        }
        const Reflection* reflection = message->GetReflection();
        given_.insert(done);
        done = Join(done, std::to_string(index));
        message = index == reflection->FieldSize(*message, field)
                      ? reflection->AddMessage(message, field)
                      : reflection->MutableRepeatedMessage(message, field, index);
        if (last) {
          ApplyYaml(value, done, [&](const YAML::Node& node) {
            message->Clear();
            ApplyMessage(node, message, done);
          });
          return;
        }
        begin = dot + 1;
      } else if (IsMessage(field)) {
        message = message->GetReflection()->MutableMessage(message, field);
      } else {
        Complain({}, done, "is a value and has no keys below it");
        return;
      }
    }
  }

  int ListIndex(const std::string& text, const Message& message, const FieldDescriptor* field,
                const std::string& path) {
    int size = message.GetReflection()->FieldSize(message, field);
    bool digits = !text.empty() && text.size() < 6 &&
                  text.find_first_not_of("0123456789") == std::string::npos;
    int index = digits ? std::atoi(text.c_str()) : -1;
    if (index >= 0 && index <= size) return index;
    Complain({}, Join(path, text),
             "is no place in the list; must be 0 to " + std::to_string(size) +
                 " (the last one appends)");
    return -1;
  }

  void SetListItem(const std::string& value, bool last, int index, Message* message,
                   const FieldDescriptor* field, const std::string& path) {
    std::string item = Join(path, std::to_string(index));
    if (!last) {
      Complain({}, item, "is a value and has no keys below it");
      return;
    }
    given_.insert(path);
    const Reflection* reflection = message->GetReflection();
    int size = reflection->FieldSize(*message, field);
    ApplyText({}, value, message, field, false, item);  // appends
    if (index < size && reflection->FieldSize(*message, field) > size) {
      reflection->SwapElements(message, field, index, size);
      reflection->RemoveLast(message, field);
    }
  }

  void ApplyValue(const std::string& value, Message* message, const FieldDescriptor* field,
                  bool from_file, const std::string& path) {
    if (!field->is_repeated() && !IsMessage(field)) {
      given_.insert(from_file ? path.substr(0, path.size() - kFileSuffix.size()) : path);
      ApplyText({}, value, message, field, from_file, path);
      return;
    }
    ApplyYaml(value, path, [&](YAML::Node node) {
      if (field->is_repeated() && node.IsScalar()) {  // a list of one
        YAML::Node list;
        list.push_back(node);
        node = list;
      }
      ApplyField(node, message, field, false, path);
    });
  }

  template <typename Apply>
  void ApplyYaml(const std::string& value, const std::string& path, Apply apply) {
    YAML::Node node;
    try {
      node = YAML::Load(value);
    } catch (const YAML::Exception& e) {
      Complain({}, path, "\"" + value + "\" is not YAML: " + e.msg);
      return;
    }
    apply(node);
  }

  void FillDefaults(Message* message, const std::string& path) {
    const Descriptor* type = message->GetDescriptor();
    const Reflection* reflection = message->GetReflection();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      std::string key_path = Join(path, field->name());
      const xylem::config::Key& key = KeyOf(field);
      if (IsMessage(field) && !field->is_repeated()) {
        FillDefaults(reflection->MutableMessage(message, field), key_path);
        continue;
      }
      if (given_.count(key_path) == 0) {
        if (!key.default_().empty()) {
          ApplyValue(key.default_(), message, field, false, key_path);
        } else if (key.required()) {
          Complain({}, key_path,
                   "is required" + (key.secret()
                                        ? "; give " + field->name() + "_file: PATH or ${env:NAME}"
                                        : std::string("; expected ") + TypeName(field)));
        }
      } else if (key.required() && !field->is_repeated() &&
                 ScalarText(*message, field, -1).empty() && errors_.empty()) {
        Complain({}, key_path, "is required and must not be empty");
      }
      if (!IsMessage(field)) continue;
      for (int item = 0; item < reflection->FieldSize(*message, field); ++item) {
        FillDefaults(reflection->MutableRepeatedMessage(message, field, item),
                     Join(key_path, std::to_string(item)));
      }
    }
  }

  Message* config_;
  std::string source_, text_;
  bool in_file_ = false, in_argv_ = false;
  std::set<std::string> given_;  // key paths that some source named
  std::vector<std::string> errors_;
};

}  // namespace

std::vector<std::string> LoadConfig(const ConfigSource& source, Message* config) {
  config->Clear();
  ConfigLoader loader(config);
  if (!source.file.empty()) loader.ReadFile(source.file);
  if (!source.environment_prefix.empty()) loader.ReadEnvironment(source.environment_prefix);
  loader.ReadSet(source.set);
  loader.Finish(source.file);
  return loader.TakeErrors();
}

}  // namespace runtime
