// Data forms (XEP-0004), with the FORM_TYPE of XEP-0068: a value that reads and writes <x/>.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/xmpp/element.h"

namespace xmpp {

struct FormOption {
  std::string label;  // may be empty
  std::string value;
};

struct FormField {
  std::string var;
  std::string type;   // "text-single" …; empty: left out (in submissions it may be)
  std::string label;  // may be empty
  std::vector<std::string> values;
  std::vector<FormOption> options;
  bool required = false;

  // The first value; empty if there is none.
  std::string_view value() const { return values.empty() ? std::string_view() : values.front(); }
};

struct DataForm {
  std::string type;  // form, submit, cancel, result
  std::string title, instructions;
  std::vector<FormField> fields;

  // nullopt if `x` is no {jabber:x:data}x. Reported items are not read.
  static std::optional<DataForm> Read(const Element& x);
  // The first form below `parent`; nullopt if there is none.
  static std::optional<DataForm> Below(const Element& parent);
  Element Write() const;

  const FormField* Find(std::string_view var) const;  // nullptr if absent
  std::string_view FormType() const;                  // empty if there is none
  // With FORM_TYPE as the first field.
  static DataForm Of(std::string type, std::string_view form_type);
  FormField& Add(std::string_view var, std::string_view field_type, std::string_view value);
};

// xs:boolean: true, 1, false, 0. nullopt for anything else.
std::optional<bool> ParseBoolean(std::string_view text);

}  // namespace xmpp
