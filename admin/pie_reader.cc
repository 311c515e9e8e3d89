#include "admin/pie_reader.h"

#include <fstream>
#include <utility>

#include "lib/xmpp/namespaces.h"

namespace admin {
namespace {

namespace ns = xmpp::ns;

constexpr std::string_view kXInclude = "http://www.w3.org/2001/XInclude";
constexpr size_t kReadBytes = 64 << 10;

std::string_view AttributeOf(const char* const* attributes, std::string_view name) {
  for (; *attributes != nullptr; attributes += 2) {
    if (attributes[0] == name) return attributes[1];
  }
  return {};
}

bool IsWhitespace(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

std::string PieReader::Read(const std::string& path) {
  std::error_code ignored;
  root_ = std::filesystem::weakly_canonical(path, ignored).parent_path();
  ReadFile(path);
  return error_;
}

bool PieReader::ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    Fail("cannot read " + path.string());
    return false;
  }
  xmpp::ExpatParser parser;
  parser.SetSink(this);
  files_.push_back({path, &parser});
  const size_t outside = opened_.size();
  std::string chunk(kReadBytes, '\0');
  bool good = true, more = true;
  while (good && more && !stopped_) {
    in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    const auto got = static_cast<size_t>(in.gcount());
    more = got == chunk.size();
    switch (parser.Parse(std::string_view(chunk).substr(0, got), !more)) {
      case xmpp::ExpatParser::Status::kOk:
        break;
      case xmpp::ExpatParser::Status::kStopped:
        good = false;
        break;
      case xmpp::ExpatParser::Status::kError:
        good = false;
        if (error_.empty() && !stopped_) {
          Fail(path.string() + " is not well-formed XML before byte " +
               std::to_string(parser.offset()));
        }
    }
  }
  files_.pop_back();
  if (error_.empty() && !stopped_ && opened_.size() != outside) Fail(path.string() + " ends early");
  return error_.empty() && !stopped_;
}

void PieReader::Include(std::string_view href) {
  const std::filesystem::path name(href);
  std::error_code failed;
  const std::filesystem::path path =
      std::filesystem::weakly_canonical(files_.back().path.parent_path() / name, failed);
  const auto relative = path.lexically_relative(root_);
  if (href.empty() || failed || relative.empty() || *relative.begin() == "..") {
    return Fail("the include of '" + std::string(href) + "' leads out of " + root_.string());
  }
  if (files_.size() >= kMaxIncludes) {
    return Fail("includes within includes, at " + path.string());
  }
  if (!ReadFile(path) && !files_.empty()) files_.back().parser->Stop();
}

void PieReader::OnStart(const xmpp::ExpandedName& name, const char* const* attributes) {
  if (skipping_ > 0) {
    ++skipping_;
    return;
  }
  if (depth_ > 0) return StartData(name, attributes);
  if (name.ns == kXInclude && name.local == "include" && place_ != Place::kFile) {
    opened_.push_back(false);
    return Include(AttributeOf(attributes, "href"));
  }
  const bool pie = name.ns == ns::kPie;
  if (place_ == Place::kFile && pie && name.local == "server-data") {
    place_ = Place::kServer;
  } else if (place_ == Place::kServer && pie && name.local == "host") {
    place_ = Place::kHost;
    host_ = AttributeOf(attributes, "jid");
  } else if (place_ == Place::kHost && pie && name.local == "user") {
    place_ = Place::kUser;
    user_ = {};
    user_.jid = std::string(AttributeOf(attributes, "name")) + "@" + host_;
    user_.password = AttributeOf(attributes, "password");
  } else if (place_ == Place::kUser) {
    return StartData(name, attributes);
  } else if (place_ == Place::kFile) {
    return Fail(files_.back().path.string() + " is no export of XEP-0227: its root is <" +
                std::string(name.local) + ">, not <server-data>");
  } else {
    Note("<" + std::string(name.local) + "> of " + std::string(name.ns) + " is not understood");
    skipping_ = 1;
    return;
  }
  opened_.push_back(true);
}

void PieReader::OnEnd(const xmpp::ExpandedName& name) {
  if (skipping_ > 0) {
    --skipping_;
    return;
  }
  if (depth_ > 0) return EndData(name);
  if (opened_.empty()) return;  // behind a failure
  const bool place = opened_.back();
  opened_.pop_back();
  if (!place) return;  // an include
  switch (place_) {
    case Place::kUser:
      place_ = Place::kHost;
      return Emit();
    case Place::kHost:
      place_ = Place::kServer;
      return;
    default:
      place_ = Place::kFile;
  }
}

void PieReader::StartData(const xmpp::ExpandedName& name, const char* const* attributes) {
  if (depth_ == 0) {
    scratch_.clear();
    writer_.Start(&scratch_, ns::kClient);
    container_ = name.local;
    container_ns_ = name.ns;
    cut_ = (name.local == "offline-messages" && name.ns == ns::kPie) ||
           (name.local == "archive" && name.ns == ns::kPieArchive);
  }
  ++depth_;
  writer_.Open(name.local, name.ns);
  for (; *attributes != nullptr; attributes += 2) {
    const auto a = xmpp::ExpandedName::Split(attributes[0]);
    if (a.ns == ns::kXml) {
      writer_.Attribute(std::string("xml:").append(a.local), {}, attributes[1]);
    } else {
      writer_.Attribute(a.local, a.ns, attributes[1]);
    }
  }
}

void PieReader::EndData(const xmpp::ExpandedName& name) {
  writer_.Close(name.local);
  if (--depth_ == 0) {
    TakeElement();
  } else if (depth_ == 1 && cut_ && scratch_.size() > kElementBytes) {
    writer_.Close(container_);
    TakeElement();
    writer_.Start(&scratch_, ns::kClient);
    writer_.Open(container_, container_ns_);
  }
}

void PieReader::TakeElement() {
  user_.bytes += scratch_.size();
  user_.elements.push_back(std::exchange(scratch_, {}));
  if (user_.bytes >= kPartBytes) Emit();
}

// The rest of the user's data comes in a part of its own.
void PieReader::Emit() {
  PieUser next;
  next.jid = user_.jid;
  next.password = user_.password;
  if (!stopped_ && error_.empty() && !on_user_(std::exchange(user_, std::move(next)))) {
    stopped_ = true;
    for (const File& file : files_) file.parser->Stop();
  }
}

void PieReader::OnText(std::string_view text) {
  if (skipping_ > 0) return;
  if (depth_ > 1 || (depth_ == 1 && !cut_)) {
    writer_.Text(text);
  } else if (depth_ == 0 && !IsWhitespace(text)) {
    Note("text that belongs to nothing: '" + std::string(text.substr(0, 40)) + "'");
  }
}

void PieReader::OnForbidden(std::string_view what) {
  if (what == "DOCTYPE") Fail(files_.back().path.string() + " has a DOCTYPE, which is not read");
}

void PieReader::Fail(std::string sentence) {
  if (error_.empty()) error_ = std::move(sentence);
  for (const File& file : files_) file.parser->Stop();
}

void PieReader::Note(std::string sentence) {
  if (notes_.size() < kMaxNotes) notes_.push_back(std::move(sentence));
}

}  // namespace admin
