#include "business/pubsub/node_config.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "business/pubsub/pubsub_error.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using xmpp::DataForm;
using xmpp::FormField;
using xmpp::StanzaError;
using Values = std::vector<std::string>;

constexpr size_t kMaxText = 1024;    // bytes of a title …
constexpr size_t kMaxGroups = 100;

struct Named {
  std::string_view name, label;
};
constexpr Named kAccess[] = {{"open", "Anybody"},
                             {"presence", "Who is subscribed to the owner's presence"},
                             {"roster", "Who is in one of the roster groups"},
                             {"authorize", "Who the owner approves"},
                             {"whitelist", "Members only"}};
constexpr Named kPublish[] = {{"publishers", "Publishers"},
                              {"subscribers", "Subscribers"},
                              {"open", "Anybody"}};
constexpr Named kSendLast[] = {{"never", "Never"},
                               {"on_sub", "With a new subscription"},
                               {"on_sub_and_presence",
                                "With a new subscription and when a subscriber comes online"}};
constexpr Named kNotification[] = {{"normal", "Normal"}, {"headline", "Headline"}};

template <typename E, size_t N>
bool SetEnum(const Named (&names)[N], std::string_view text, E* value) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i].name != text) continue;
    *value = static_cast<E>(i);
    return true;
  }
  return false;
}

std::optional<uint32_t> Number(std::string_view text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string BoolText(bool value) { return value ? "1" : "0"; }

// One line per field: how it is read and written, and how forms show it.
struct Field {
  std::string_view var, type, label;
  bool (*set)(NodeConfig*, const Values&);  // false: no such value
  Values (*get)(const NodeConfig&);
  bool meta = false;  // shown to others
  const Named* options = nullptr;
  size_t option_count = 0;
};

std::string_view First(const Values& values) {
  return values.empty() ? std::string_view() : std::string_view(values.front());
}

template <bool NodeConfig::*member>
constexpr Field Boolean(std::string_view var, std::string_view label) {
  return {var, "boolean", label,
          [](NodeConfig* config, const Values& values) {
            const auto value = xmpp::ParseBoolean(First(values));
            if (value) config->*member = *value;
            return value.has_value();
          },
          [](const NodeConfig& config) { return Values{BoolText(config.*member)}; }};
}

template <std::string NodeConfig::*member>
constexpr Field Text(std::string_view var, std::string_view label) {
  return {var, "text-single", label,
          [](NodeConfig* config, const Values& values) {
            if (First(values).size() > kMaxText) return false;
            config->*member = First(values);
            return true;
          },
          [](const NodeConfig& config) { return Values{config.*member}; }, true};
}

bool SetMaxItems(NodeConfig* config, const Values& values) {
  if (First(values) == "max") {
    config->max_items.reset();
    return true;
  }
  const auto number = Number(First(values));
  if (!number) return false;
  config->max_items = std::max(*number, 1u);  // 0: what older clients mean by "do not keep any"
  return true;
}

bool SetGroups(NodeConfig* config, const Values& values) {
  if (values.size() > kMaxGroups) return false;
  config->roster_groups = values;
  return true;
}

const std::vector<Field>& Fields() {
  static const auto& fields = *new std::vector<Field>{
      Text<&NodeConfig::title>("pubsub#title", "Title"),
      Text<&NodeConfig::description>("pubsub#description", "Description"),
      Text<&NodeConfig::payload_type>("pubsub#type", "Namespace of the payload"),
      Text<&NodeConfig::language>("pubsub#language", "Language"),
      {"pubsub#access_model", "list-single", "Who may subscribe and retrieve items",
       [](NodeConfig* c, const Values& v) { return SetEnum(kAccess, First(v), &c->access); },
       [](const NodeConfig& c) {
         return Values{std::string(kAccess[static_cast<size_t>(c.access)].name)};
       },
       true, kAccess, std::size(kAccess)},
      {"pubsub#roster_groups_allowed", "text-multi", "Roster groups that may",
       [](NodeConfig* c, const Values& v) { return SetGroups(c, v); },
       [](const NodeConfig& c) { return c.roster_groups; }},
      {"pubsub#publish_model", "list-single", "Who may publish",
       [](NodeConfig* c, const Values& v) { return SetEnum(kPublish, First(v), &c->publish); },
       [](const NodeConfig& c) {
         return Values{std::string(kPublish[static_cast<size_t>(c.publish)].name)};
       },
       true, kPublish, std::size(kPublish)},
      {"pubsub#max_items", "text-single", "Items that are kept; `max`: as many as allowed",
       [](NodeConfig* c, const Values& v) { return SetMaxItems(c, v); },
       [](const NodeConfig& c) {
         return Values{c.max_items ? std::to_string(*c.max_items) : "max"};
       },
       true},
      Boolean<&NodeConfig::persist_items>("pubsub#persist_items", "Keep items"),
      {"pubsub#send_last_published_item", "list-single", "When the last item is sent",
       [](NodeConfig* c, const Values& v) { return SetEnum(kSendLast, First(v), &c->send_last); },
       [](const NodeConfig& c) {
         return Values{std::string(kSendLast[static_cast<size_t>(c.send_last)].name)};
       },
       false, kSendLast, std::size(kSendLast)},
      Boolean<&NodeConfig::deliver_notifications>("pubsub#deliver_notifications", "Notify"),
      Boolean<&NodeConfig::deliver_payloads>("pubsub#deliver_payloads", "Notify with payloads"),
      Boolean<&NodeConfig::notify_config>("pubsub#notify_config", "Notify of configuration"),
      Boolean<&NodeConfig::notify_delete>("pubsub#notify_delete", "Notify of deletion"),
      Boolean<&NodeConfig::notify_retract>("pubsub#notify_retract", "Notify of removed items"),
      Boolean<&NodeConfig::presence_based_delivery>("pubsub#presence_based_delivery",
                                                    "Notify available subscribers only"),
      {"pubsub#notification_type", "list-single", "Type of notifications",
       [](NodeConfig* c, const Values& v) { return SetEnum(kNotification, First(v), &c->headline); },
       [](const NodeConfig& c) {
         return Values{std::string(kNotification[c.headline ? 1 : 0].name)};
       },
       false, kNotification, std::size(kNotification)},
      {"pubsub#max_payload_size", "text-single", "Bytes of a payload; `max`: as many as allowed",
       [](NodeConfig* c, const Values& v) {
         const auto number = Number(First(v));
         c->max_payload_size = number;
         return number.has_value() || First(v) == "max" || First(v).empty();
       },
       [](const NodeConfig& c) {
         return Values{c.max_payload_size ? std::to_string(*c.max_payload_size) : "max"};
       }},
  };
  return fields;
}

const Field* FindField(std::string_view var) {
  for (const Field& field : Fields()) {
    if (field.var == var) return &field;
  }
  return nullptr;
}

// An entry of a form shown to somebody.
FormField Shown(const Field& field, const NodeConfig& config) {
  FormField shown;
  shown.var = field.var;
  shown.type = field.type;
  shown.label = field.label;
  shown.values = field.get(config);
  for (size_t i = 0; i < field.option_count; ++i) {
    shown.options.push_back({std::string(field.options[i].label),
                             std::string(field.options[i].name)});
  }
  return shown;
}

std::optional<StanzaError> CheckLimits(const NodeConfigLimits& limits, const NodeConfig& config) {
  if (config.access == AccessModel::kAuthorize && !limits.authorize) {
    return WithPubsub(StanzaError::NotAcceptable(), "unsupported-access-model");
  }
  if (config.max_items && *config.max_items > limits.max_items) {
    return WithPubsub(StanzaError::NotAcceptable("pubsub#max_items is at most " +
                                                 std::to_string(limits.max_items)),
                      "max-items-exceeded");
  }
  if (config.max_payload_size && *config.max_payload_size > limits.max_payload) {
    return StanzaError::NotAcceptable("pubsub#max_payload_size is at most " +
                                      std::to_string(limits.max_payload));
  }
  return std::nullopt;
}

}  // namespace

std::string NodeConfig::Write() const {
  DataForm form = DataForm::Of("submit", xmpp::ns::kPubsubNodeConfig);
  const NodeConfig standard;
  for (const Field& field : Fields()) {
    Values values = field.get(*this);
    if (values == field.get(standard)) continue;
    form.Add(field.var, {}, {}).values = std::move(values);
  }
  return form.Write().Write();
}

NodeConfig NodeConfig::Read(std::string_view stored) {
  NodeConfig config;
  const auto x = xmpp::Element::Parse(stored);
  const auto form = x ? DataForm::Read(*x) : std::nullopt;
  if (!form) return config;
  for (const FormField& given : form->fields) {
    const Field* field = FindField(given.var);
    if (field != nullptr) field->set(&config, given.values);
  }
  return config;
}

DataForm NodeConfig::Form() const {
  DataForm form = DataForm::Of("form", xmpp::ns::kPubsubNodeConfig);
  for (const Field& field : Fields()) form.fields.push_back(Shown(field, *this));
  return form;
}

void NodeConfig::AddMetaData(DataForm* form) const {
  for (const Field& field : Fields()) {
    if (!field.meta) continue;
    FormField shown = Shown(field, *this);
    shown.options.clear();
    if (!shown.value().empty()) form->fields.push_back(std::move(shown));
  }
}

std::optional<StanzaError> ApplyForm(const DataForm& form, const NodeConfigLimits& limits,
                                     NodeConfig* config) {
  for (const FormField& given : form.fields) {
    const Field* field = FindField(given.var);
    if (field == nullptr) continue;
    if (!field->set(config, given.values)) {
      return StanzaError::NotAcceptable(given.var + " has no such value");
    }
  }
  return CheckLimits(limits, *config);
}

Preconditions CheckOptions(const DataForm& options, const NodeConfigLimits& limits,
                           const NodeConfig& config) {
  NodeConfig wanted = config;
  for (const FormField& given : options.fields) {
    if (given.var == "FORM_TYPE") continue;
    const Field* field = FindField(given.var);
    if (field == nullptr || !field->set(&wanted, given.values)) return Preconditions::kUnknown;
  }
  // "max" and the number that it stands for are the same.
  NodeConfig is = config;
  if (!wanted.max_items) wanted.max_items = limits.max_items;
  if (!is.max_items) is.max_items = limits.max_items;
  return wanted == is ? Preconditions::kMet : Preconditions::kNotMet;
}

std::string_view AccessModelName(AccessModel model) {
  return kAccess[static_cast<size_t>(model)].name;
}

}  // namespace business
