#include "business/history/archive_request.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "lib/cluster/cluster_id.h"
#include "lib/xmpp/data_form.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/result_set.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;
using xmpp::FormField;
using xmpp::StanzaError;
using Mistake = std::optional<StanzaError>;

constexpr size_t kLongestText = 1024;
constexpr size_t kLongestQueryId = 256;

std::string FulltextField() { return "{" + std::string(ns::kFulltext) + "}fulltext"; }

std::optional<ArchiveId> ReadId(std::string_view text) {
  const auto id = cluster::ParseClusterId(text);
  if (!id) return std::nullopt;
  return std::string(id->begin(), id->end());
}

Mistake ReadMoment(const FormField& field, std::optional<int64_t>* moment) {
  *moment = xmpp::ParseDateTime(field.value());
  if (*moment) return std::nullopt;
  return StanzaError::BadRequest(field.var + " is no XEP-0082 date");
}

// An id that we never gave names no row.
Mistake ReadRow(std::string_view text, std::optional<ArchiveId>* id) {
  *id = ReadId(text);
  if (*id) return std::nullopt;
  return StanzaError::ItemNotFound("no such message");
}

Mistake ReadIds(const FormField& field, std::vector<ArchiveId>* ids) {
  if (field.values.size() > kArchivePage) {
    return StanzaError::PolicyViolation("too many ids at once");
  }
  for (const std::string& value : field.values) {
    const auto id = ReadId(value);
    if (!id) return StanzaError::ItemNotFound("no such message");
    ids->push_back(*id);
  }
  return std::nullopt;
}

Mistake ReadField(const FormField& field, ArchiveQuery* query) {
  const std::string& var = field.var;
  if (var == "FORM_TYPE") return std::nullopt;
  if (var == "include-groupchat") {  // user archives hold none
    if (xmpp::ParseBoolean(field.value())) return std::nullopt;
    return StanzaError::BadRequest("include-groupchat is no boolean");
  }
  if (var == "start") return ReadMoment(field, &query->start_ms);
  if (var == "end") return ReadMoment(field, &query->end_ms);
  if (var == "after-id") return ReadRow(field.value(), &query->after_id);
  if (var == "before-id") return ReadRow(field.value(), &query->before_id);
  if (var == "ids") return ReadIds(field, &query->ids);
  if (var == "with") {
    auto jid = xmpp::Jid::Parse(field.value());
    if (!jid) return StanzaError::JidMalformed("with is no JID");
    query->with = *std::move(jid);
    return std::nullopt;
  }
  if (var == FulltextField()) {
    if (field.value().size() > kLongestText) return StanzaError::PolicyViolation("too long a text");
    query->text = field.value();
    return std::nullopt;
  }
  return StanzaError::FeatureNotImplemented("no such field: " + var);  // §4.1.5
}

Mistake ReadForm(const Element& request, ArchiveQuery* query) {
  const auto form = xmpp::DataForm::Below(request);
  if (!form) return std::nullopt;
  if (form->FormType() != ns::kArchive) return StanzaError::BadRequest("not a form of this query");
  for (const FormField& field : form->fields) {
    if (Mistake mistake = ReadField(field, query)) return mistake;
  }
  return std::nullopt;
}

Mistake ReadPage(const Element& request, const HistoryOptions& options, ArchiveQuery* query) {
  const auto page = xmpp::ResultSetQuery::Below(request);
  query->max = std::min(page ? page->max.value_or(options.page) : options.page, options.page_max);
  if (!page) return std::nullopt;
  if (page->index) return StanzaError::FeatureNotImplemented("pages have no index");
  if (page->after && page->before) return StanzaError::BadRequest("both after and before");
  query->backward = page->before.has_value();
  const std::string anchor = page->after ? *page->after : page->before.value_or("");
  if (anchor.empty()) return std::nullopt;
  return ReadRow(anchor, &query->anchor);
}

}  // namespace

std::variant<ArchiveRequest, StanzaError> ReadArchiveRequest(const Element& request,
                                                             const HistoryOptions& options) {
  ArchiveRequest read;
  read.query_id = request.Attr("queryid");
  if (read.query_id.size() > kLongestQueryId) {
    return StanzaError::PolicyViolation("too long a queryid");
  }
  if (!request.Attr("node").empty()) return StanzaError::ItemNotFound("no such node");
  if (Mistake mistake = ReadForm(request, &read.query)) return *mistake;
  if (Mistake mistake = ReadPage(request, options, &read.query)) return *mistake;
  ArchiveQuery& query = read.query;
  query.flip = request.Find("flip-page", ns::kArchive) != nullptr;
  // Who only wants to know how many; everybody else would pay for it with each page.
  if (query.max == 0) query.count_up_to = options.count_up_to;
  read.unfiltered = query.with.ToString().empty() && query.text.empty() && query.ids.empty() &&
                    !query.end_ms && !query.before_id;
  return read;
}

Element ArchiveForm() {
  xmpp::DataForm form = xmpp::DataForm::Of("form", ns::kArchive);
  form.Add("with", "jid-single", {}).values.clear();
  for (const char* var : {"start", "end", "before-id", "after-id"}) {
    form.Add(var, "text-single", {}).values.clear();
  }
  form.Add("include-groupchat", "boolean", {}).values.clear();
  form.Add(FulltextField(), "text-single", {}).values.clear();
  Element x = form.Write();
  Element& ids = x.Add("field", ns::kDataForms);
  ids.SetAttr("var", "ids").SetAttr("type", "list-multi");
  Element& validate = ids.Add("validate", ns::kDataValidate);
  validate.SetAttr("datatype", "xs:string");
  validate.Add("open", ns::kDataValidate);
  return x;
}

}  // namespace business
