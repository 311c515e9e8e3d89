// XML as a tree, for who needs a payload. Made from canonical bytes only: RapidXML is behind
// Element::Parse, in element.cc and nowhere else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace xmpp {

// A value: name, namespace, attributes, children in order. Walks are bounded: the framer lets
// nothing deeper than 64 levels in.
class Element {
 public:
  using Child = std::variant<Element, std::string>;
  struct Attribute {
    std::string name;  // local name, or "xml:lang"
    std::string ns;    // empty for most
    std::string value;
  };

  Element() = default;
  explicit Element(std::string name, std::string_view ns = {});

  // `canonical` must come from our own writer. `content_ns` is the namespace of elements without
  // declaration at the root. nullopt on anything the writer could not have written.
  static std::optional<Element> Parse(std::string_view canonical,
                                      std::string_view content_ns = "jabber:client");

  const std::string& name() const { return name_; }
  const std::string& ns() const { return ns_; }
  bool Is(std::string_view name, std::string_view ns) const { return name_ == name && ns_ == ns; }

  // Empty view if absent; HasAttribute tells absent from empty.
  std::string_view Attr(std::string_view name) const;
  bool HasAttribute(std::string_view name) const;
  Element& SetAttr(std::string name, std::string value);  // replaces; returns *this
  Element& AddAttribute(Attribute attribute);  // as it is; the caller knows it is not there yet
  void RemoveAttr(std::string_view name);
  const std::vector<Attribute>& attributes() const { return attributes_; }

  const std::vector<Child>& children() const { return children_; }
  std::vector<Child>& children() { return children_; }
  // First child element of that name and namespace; nullptr if none. Empty ns = any.
  const Element* Find(std::string_view name, std::string_view ns) const;
  Element* Find(std::string_view name, std::string_view ns);
  const Element* FirstChild() const;
  std::vector<const Element*> Elements() const;
  // The element's own character data, concatenated.
  std::string Text() const;

  Element& Add(Element child);                          // returns the added child
  Element& Add(std::string name, std::string_view ns);  // the same
  Element& AddText(std::string text);                   // returns *this
  // Removes child elements for which `pred` holds; returns how many.
  template <typename Pred>
  size_t RemoveIf(Pred pred) {
    return std::erase_if(children_, [&](const Child& c) {
      const auto* e = std::get_if<Element>(&c);
      return e != nullptr && pred(*e);
    });
  }

  // Canonical bytes; namespaces declared relative to `content_ns`.
  std::string Write(std::string_view content_ns = "jabber:client") const;

  friend bool operator==(const Element&, const Element&);

 private:
  std::string name_, ns_;
  std::vector<Attribute> attributes_;
  std::vector<Child> children_;
};

}  // namespace xmpp
