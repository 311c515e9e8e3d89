#include "lib/xmpp/data_form.h"

#include <utility>

#include "lib/xmpp/namespaces.h"

namespace xmpp {
namespace {

FormField ReadField(const Element& element) {
  FormField field;
  field.var = element.Attr("var");
  field.type = element.Attr("type");
  field.label = element.Attr("label");
  for (const Element* child : element.Elements()) {
    if (child->Is("value", ns::kDataForms)) {
      field.values.push_back(child->Text());
    } else if (child->Is("option", ns::kDataForms)) {
      const Element* value = child->Find("value", ns::kDataForms);
      field.options.push_back({std::string(child->Attr("label")),
                               value == nullptr ? std::string() : value->Text()});
    } else if (child->Is("required", ns::kDataForms)) {
      field.required = true;
    }
  }
  return field;
}

void AddText(Element* parent, std::string_view name, const std::string& text) {
  if (!text.empty()) parent->Add(std::string(name), ns::kDataForms).AddText(text);
}

Element WriteField(const FormField& field) {
  Element element("field", ns::kDataForms);
  if (!field.var.empty()) element.SetAttr("var", field.var);
  if (!field.type.empty()) element.SetAttr("type", field.type);
  if (!field.label.empty()) element.SetAttr("label", field.label);
  if (field.required) element.Add("required", ns::kDataForms);
  for (const std::string& value : field.values) {
    element.Add("value", ns::kDataForms).AddText(value);
  }
  for (const FormOption& option : field.options) {
    Element& child = element.Add("option", ns::kDataForms);
    if (!option.label.empty()) child.SetAttr("label", option.label);
    child.Add("value", ns::kDataForms).AddText(option.value);
  }
  return element;
}

}  // namespace

std::optional<DataForm> DataForm::Read(const Element& x) {
  if (!x.Is("x", ns::kDataForms)) return std::nullopt;
  DataForm form;
  form.type = x.Attr("type");
  for (const Element* child : x.Elements()) {
    if (child->ns() != ns::kDataForms) continue;
    if (child->name() == "field") form.fields.push_back(ReadField(*child));
    if (child->name() == "title") form.title = child->Text();
    if (child->name() == "instructions") form.instructions += child->Text();
  }
  return form;
}

std::optional<DataForm> DataForm::Below(const Element& parent) {
  const Element* x = parent.Find("x", ns::kDataForms);
  return x == nullptr ? std::nullopt : Read(*x);
}

Element DataForm::Write() const {
  Element x("x", ns::kDataForms);
  x.SetAttr("type", type);
  AddText(&x, "title", title);
  AddText(&x, "instructions", instructions);
  for (const FormField& field : fields) x.Add(WriteField(field));
  return x;
}

const FormField* DataForm::Find(std::string_view var) const {
  for (const FormField& field : fields) {
    if (field.var == var) return &field;
  }
  return nullptr;
}

std::string_view DataForm::FormType() const {
  const FormField* field = Find("FORM_TYPE");
  return field == nullptr ? std::string_view() : field->value();
}

DataForm DataForm::Of(std::string type, std::string_view form_type) {
  DataForm form;
  form.type = std::move(type);
  form.Add("FORM_TYPE", "hidden", form_type);
  return form;
}

FormField& DataForm::Add(std::string_view var, std::string_view field_type,
                         std::string_view value) {
  FormField field;
  field.var = var;
  field.type = field_type;
  field.values.emplace_back(value);
  return fields.emplace_back(std::move(field));
}

std::optional<bool> ParseBoolean(std::string_view text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

}  // namespace xmpp
