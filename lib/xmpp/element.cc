#include "lib/xmpp/element.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <rapidxml/rapidxml.hpp>

#include "lib/xmpp/canonical_writer.h"

namespace xmpp {
namespace {

// The framer lets in 64 levels; forwarding and archives wrap a few more around them. RapidXML
// recurses, so this bound is what keeps the stack.
constexpr int kMaxDepth = 96;
constexpr size_t kKeepScratch = 64 * 1024;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// Copies canonical bytes into what RapidXML may write upon, NUL-terminated. Two things need help:
// RapidXML drops text of white space alone, so its first character becomes a reference; and it
// recurses as deep as the input says. False on markup or depth our writer never makes.
bool PrepareForRapidXml(std::string_view canonical, std::string* out) {
  out->clear();
  out->reserve(canonical.size() + 64);
  const char* p = canonical.data();
  const char* const end = p + canonical.size();
  if (p == end || *p != '<' || std::memchr(p, '\0', canonical.size()) != nullptr) return false;
  int depth = 0;
  bool root_closed = false;
  while (p != end) {
    // At '<'. The writer escapes every '>' that is not the end of a tag.
    const char* close = static_cast<const char*>(std::memchr(p, '>', end - p));
    if (close == nullptr || close - p < 2 || root_closed) return false;
    if (p[1] == '!' || p[1] == '?') return false;
    if (p[1] == '/') {
      --depth;
    } else if (close[-1] != '/' && ++depth > kMaxDepth) {
      return false;
    }
    if (depth < 0) return false;
    root_closed = depth == 0;
    const char* next = static_cast<const char*>(std::memchr(close, '<', end - close));
    if (next == nullptr) next = end;
    out->append(p, close + 1);
    const char* text = close + 1;
    const char* after_space = text;
    while (after_space != next && IsSpace(*after_space)) ++after_space;
    if (after_space == next && text != next) {
      out->append(*text == ' ' ? "&#x20;" : *text == '\t' ? "&#x9;" : "&#xA;");
      ++text;
    }
    if (root_closed && text != next) return false;
    out->append(text, next);
    p = next;
  }
  if (!root_closed) return false;
  out->push_back('\0');
  return true;
}

using Document = rapidxml::xml_document<char>;
using Node = rapidxml::xml_node<char>;

std::string_view Name(const rapidxml::xml_base<char>& n) { return {n.name(), n.name_size()}; }
std::string_view Value(const rapidxml::xml_base<char>& n) { return {n.value(), n.value_size()}; }

// The URI declared for `prefix` on this element: the writer declares each where it is used.
std::optional<std::string_view> DeclaredHere(const Node& node, std::string_view prefix) {
  for (auto* a = node.first_attribute(); a != nullptr; a = a->next_attribute()) {
    const std::string_view name = Name(*a);
    if (name.starts_with("xmlns:") && name.substr(6) == prefix) return Value(*a);
  }
  return std::nullopt;
}

std::optional<Element> Build(const Node& node, std::string_view inherited_ns) {
  if (Name(node).find(':') != std::string_view::npos) return std::nullopt;
  std::string_view ns = inherited_ns;
  if (auto* declared = node.first_attribute("xmlns", 5)) ns = Value(*declared);
  Element element{std::string(Name(node)), ns};
  for (auto* a = node.first_attribute(); a != nullptr; a = a->next_attribute()) {
    const std::string_view name = Name(*a);
    if (name == "xmlns" || name.starts_with("xmlns:")) continue;
    const size_t colon = name.find(':');
    if (colon == std::string_view::npos || name.starts_with("xml:")) {
      element.AddAttribute({std::string(name), {}, std::string(Value(*a))});
      continue;
    }
    const auto uri = DeclaredHere(node, name.substr(0, colon));
    if (!uri) return std::nullopt;
    element.AddAttribute(
        {std::string(name.substr(colon + 1)), std::string(*uri), std::string(Value(*a))});
  }
  for (auto* n = node.first_node(); n != nullptr; n = n->next_sibling()) {
    if (n->type() == rapidxml::node_data) {
      element.AddText(std::string(Value(*n)));
    } else if (n->type() == rapidxml::node_element) {
      auto child = Build(*n, ns);
      if (!child) return std::nullopt;
      element.Add(*std::move(child));
    } else {
      return std::nullopt;
    }
  }
  return element;
}

void WriteTo(const Element& element, CanonicalWriter* writer) {
  writer->Open(element.name(), element.ns());
  for (const auto& a : element.attributes()) writer->Attribute(a.name, a.ns, a.value);
  for (const auto& child : element.children()) {
    if (const auto* e = std::get_if<Element>(&child)) {
      WriteTo(*e, writer);
    } else {
      writer->Text(std::get<std::string>(child));
    }
  }
  writer->Close(element.name());
}

}  // namespace

Element::Element(std::string name, std::string_view ns) : name_(std::move(name)), ns_(ns) {}

std::optional<Element> Element::Parse(std::string_view canonical, std::string_view content_ns) {
  thread_local std::string text;
  thread_local auto document = std::make_unique<Document>();  // 64 KiB: not on the stack
  if (!PrepareForRapidXml(canonical, &text)) return std::nullopt;
  std::optional<Element> element;
  try {
    document->parse<rapidxml::parse_no_element_values | rapidxml::parse_validate_closing_tags>(
        text.data());
    const Node* root = document->first_node();
    if (root != nullptr && root->next_sibling() == nullptr) element = Build(*root, content_ns);
  } catch (const rapidxml::parse_error&) {
    element.reset();
  }
  document->clear();
  if (text.capacity() > kKeepScratch) std::string().swap(text);
  return element;
}

std::string_view Element::Attr(std::string_view name) const {
  for (const auto& a : attributes_) {
    if (a.name == name && a.ns.empty()) return a.value;
  }
  return {};
}

bool Element::HasAttribute(std::string_view name) const {
  return std::any_of(attributes_.begin(), attributes_.end(),
                     [&](const Attribute& a) { return a.name == name && a.ns.empty(); });
}

Element& Element::SetAttr(std::string name, std::string value) {
  for (auto& a : attributes_) {
    if (a.name == name && a.ns.empty()) {
      a.value = std::move(value);
      return *this;
    }
  }
  attributes_.push_back({std::move(name), {}, std::move(value)});
  return *this;
}

Element& Element::AddAttribute(Attribute attribute) {
  attributes_.push_back(std::move(attribute));
  return *this;
}

void Element::RemoveAttr(std::string_view name) {
  std::erase_if(attributes_, [&](const Attribute& a) { return a.name == name && a.ns.empty(); });
}

const Element* Element::Find(std::string_view name, std::string_view ns) const {
  for (const auto& child : children_) {
    const auto* e = std::get_if<Element>(&child);
    if (e != nullptr && e->name_ == name && (ns.empty() || e->ns_ == ns)) return e;
  }
  return nullptr;
}

Element* Element::Find(std::string_view name, std::string_view ns) {
  return const_cast<Element*>(std::as_const(*this).Find(name, ns));
}

const Element* Element::FirstChild() const {
  for (const auto& child : children_) {
    if (const auto* e = std::get_if<Element>(&child)) return e;
  }
  return nullptr;
}

std::vector<const Element*> Element::Elements() const {
  std::vector<const Element*> elements;
  for (const auto& child : children_) {
    if (const auto* e = std::get_if<Element>(&child)) elements.push_back(e);
  }
  return elements;
}

std::string Element::Text() const {
  std::string text;
  for (const auto& child : children_) {
    if (const auto* t = std::get_if<std::string>(&child)) text += *t;
  }
  return text;
}

Element& Element::Add(Element child) {
  return std::get<Element>(children_.emplace_back(std::move(child)));
}

Element& Element::Add(std::string name, std::string_view ns) {
  return Add(Element(std::move(name), ns));
}

Element& Element::AddText(std::string text) {
  if (text.empty()) return *this;
  if (!children_.empty() && std::holds_alternative<std::string>(children_.back())) {
    std::get<std::string>(children_.back()) += text;
  } else {
    children_.emplace_back(std::move(text));
  }
  return *this;
}

std::string Element::Write(std::string_view content_ns) const {
  std::string out;
  CanonicalWriter writer;
  writer.Start(&out, content_ns);
  WriteTo(*this, &writer);
  return out;
}

bool operator==(const Element& a, const Element& b) {
  return a.name_ == b.name_ && a.ns_ == b.ns_ &&
         std::equal(a.attributes_.begin(), a.attributes_.end(), b.attributes_.begin(),
                    b.attributes_.end(),
                    [](const Element::Attribute& x, const Element::Attribute& y) {
                      return x.name == y.name && x.ns == y.ns && x.value == y.value;
                    }) &&
         a.children_ == b.children_;
}

}  // namespace xmpp
