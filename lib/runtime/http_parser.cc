#include "lib/runtime/http_parser.h"

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

namespace runtime {

namespace http = boost::beast::http;

struct HttpParser::Impl {
  std::optional<http::request_parser<http::string_body>> parser;
  HttpRequest request;
  int status = 0;

  void Start() {
    parser.emplace();
    parser->header_limit(kMaxHeader);
    parser->body_limit(kMaxBody);
    parser->eager(true);
    request = {};
    status = 0;
  }

  void Take() {
    const auto& message = parser->get();
    request.method = std::string(message.method_string());
    std::string_view target(message.target().data(), message.target().size());
    size_t question = target.find('?');
    request.path = std::string(target.substr(0, question));
    if (question != std::string_view::npos)
      request.query = std::string(target.substr(question + 1));
    request.body = message.body();
    request.authorization = std::string(message[http::field::authorization]);
  }
};

HttpParser::HttpParser() : impl_(std::make_unique<Impl>()) { impl_->Start(); }
HttpParser::~HttpParser() = default;

bool HttpParser::Consume(std::string* input) {
  boost::system::error_code error;
  while (!input->empty() && !impl_->parser->is_done()) {
    size_t used = impl_->parser->put(boost::asio::buffer(*input), error);
    input->erase(0, used);
    if (error == http::error::need_more) {
      // Beast keeps no bytes of an unfinished line: they stay in `input`, bounded here.
      if (input->size() > kMaxHeader) impl_->status = 431;
      return false;
    }
    if (error) {
      impl_->status = error == http::error::header_limit ? 431
                      : error == http::error::body_limit ? 413
                                                         : 400;
      return false;
    }
    if (used == 0) break;
  }
  if (!impl_->parser->is_done()) return false;
  impl_->Take();
  return true;
}

int HttpParser::status() const { return impl_->status; }
const HttpRequest& HttpParser::request() const { return impl_->request; }
bool HttpParser::keep_alive() const { return impl_->parser->get().keep_alive(); }
bool HttpParser::from_browser() const {
  return impl_->parser->get().find(http::field::origin) != impl_->parser->get().end();
}
void HttpParser::Reset() { impl_->Start(); }

const char* HttpReason(int status) {
  auto reason = http::obsolete_reason(static_cast<http::status>(status));
  return reason.data();  // a literal
}

}  // namespace runtime
