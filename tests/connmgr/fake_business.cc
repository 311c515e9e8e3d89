#include "tests/connmgr/fake_business.h"

#include <algorithm>
#include <utility>

#include "lib/runtime/check.h"

namespace connmgr {

using xylem::v1::Down;
using xylem::v1::Negotiated;
using xylem::v1::Up;

FakeBusiness::FakeBusiness(Options options)
    : options_(std::move(options)), loops_("fake", 1) {
  server_ = runtime::RpcServer::Start(
      {.address = "127.0.0.1:" + std::to_string(options_.port)}, &loops_,
      {"/xylem.v1.ConnmgrBusiness/Attach"},
      [this](runtime::EventLoop& loop, std::unique_ptr<runtime::RpcStream> rpc) {
        auto stream = std::make_shared<Stream>();
        stream->rpc = std::move(rpc);
        stream->batch = std::make_unique<runtime::RpcBatch>(&loop, &counters_);
        stream->batch->Attach(stream->rpc.get());
        streams_.push_back(stream);
        {
          std::lock_guard lock(mutex_);
          ++open_streams_;
        }
        Stream* s = stream.get();
        s->rpc->Start({.on_frame = [this, s](std::string_view frame) { OnFrame(s, frame); },
                       .on_writable = [s] { s->batch->OnWritable(); },
                       .on_closed =
                           [this, s](std::string) {
                             s->batch->Attach(nullptr);
                             std::erase_if(streams_,
                                           [s](const auto& one) { return one.get() == s; });
                             std::lock_guard lock(mutex_);
                             --open_streams_;
                           }});
      },
      {});
  CHECK(server_ != nullptr);
  port_ = server_->port();
}

FakeBusiness::~FakeBusiness() { Kill(); }

void FakeBusiness::Kill() {
  if (server_ == nullptr) return;
  server_->Shutdown();
  loops_.RunOn(0, [this] {
    for (auto& stream : streams_) stream->batch->Attach(nullptr);
    streams_.clear();
  });
  server_ = nullptr;
  std::lock_guard lock(mutex_);
  open_streams_ = 0;
}

std::vector<Up> FakeBusiness::Said() const {
  std::lock_guard lock(mutex_);
  return said_;
}

std::vector<Up> FakeBusiness::Said(Up::ItemCase kind) const {
  std::lock_guard lock(mutex_);
  std::vector<Up> some;
  std::copy_if(said_.begin(), said_.end(), std::back_inserter(some),
               [kind](const Up& item) { return item.item_case() == kind; });
  return some;
}

std::vector<xylem::v1::Hello> FakeBusiness::hellos() const {
  std::lock_guard lock(mutex_);
  return hellos_;
}

std::vector<std::string> FakeBusiness::violations() const {
  std::lock_guard lock(mutex_);
  return violations_;
}

int FakeBusiness::open_streams() const {
  std::lock_guard lock(mutex_);
  return open_streams_;
}

void FakeBusiness::Change(const std::function<void(Options&)>& change) {
  std::lock_guard lock(mutex_);
  change(options_);
}

void FakeBusiness::Send(const Down& item) {
  loops_.RunOn(0, [&] {
    CHECK(!streams_.empty());
    Add(streams_.back().get(), item);
  });
}

void FakeBusiness::SendRaw(std::string frame) {
  loops_.RunOn(0, [&] {
    CHECK(!streams_.empty() && streams_.back()->rpc->writable());
    streams_.back()->rpc->Send(std::move(frame));
  });
}

void FakeBusiness::Add(Stream* stream, const Down& item) {
  // A oneof has one field: its number and bytes are what the batch wants.
  switch (item.item_case()) {
    case Down::kNegotiated:
      return stream->batch->Add(Down::kNegotiated, item.negotiated());
    case Down::kAccepted:
      return stream->batch->Add(Down::kAccepted, item.accepted());
    case Down::kDeliver:
      return stream->batch->Add(Down::kDeliver, item.deliver());
    case Down::kTicket:
      return stream->batch->Add(Down::kTicket, item.ticket());
    case Down::kControl:
      return stream->batch->Add(Down::kControl, item.control());
    case Down::kEnded:
      return stream->batch->Add(Down::kEnded, item.ended());
    case Down::ITEM_NOT_SET:
      return;
  }
}

void FakeBusiness::OnFrame(Stream* stream, std::string_view bytes) {
  xylem::v1::ManagerFrame frame;
  CHECK(frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  std::lock_guard lock(mutex_);
  if (frame.has_hello()) {
    hellos_.push_back(frame.hello());
    xylem::v1::Hello hello;
    hello.set_protocol_min(options_.protocol);
    hello.set_protocol_max(options_.protocol);
    hello.set_instance(options_.instance);
    hello.set_incarnation(options_.incarnation);
    hello.set_redis_generation(options_.generation);
    hello.set_draining(options_.draining);
    for (const std::string& domain : options_.domains) hello.add_domains(domain);
    if (options_.late_answers) hello.add_features("late-answers");
    stream->batch->AddHello(hello);
  }
  for (const Up& item : frame.up()) {
    said_.push_back(item);
    Watch(stream, item);
    Answer(stream, item);
  }
}

void FakeBusiness::Watch(Stream* stream, const Up& item) {
  switch (item.item_case()) {
    case Up::kAnnounce: {
      uint64_t& next = stream->next_in_seq[item.announce().connection()];
      next = std::max(next, item.announce().accepted() + 1);
      return;
    }
    case Up::kMoved:
      stream->next_in_seq.erase(item.moved().connection());
      return;
    case Up::kSubmit: {
      const xylem::v1::Submit& submit = item.submit();
      const auto known = stream->next_in_seq.find(submit.connection());
      if (known == stream->next_in_seq.end()) {
        violations_.push_back("not announced: " + std::to_string(submit.connection()));
      } else if (submit.in_seq() > known->second) {
        violations_.push_back("gap before " + std::to_string(submit.in_seq()));
      } else {
        known->second = std::max(known->second, submit.in_seq() + 1);
      }
      return;
    }
    default:
      return;
  }
}

void FakeBusiness::Answer(Stream* stream, const Up& item) {
  Down answer;
  switch (item.item_case()) {
    case Up::kOpened: {
      if (!options_.features) return;
      Negotiated& features = *answer.mutable_negotiated();
      features.set_connection(item.opened().connection());
      features.set_outcome(Negotiated::FEATURES);
      features.set_features("<features-of-" + options_.instance + "/>");
      return Add(stream, answer);
    }
    case Up::kNegotiate:
      if (options_.bind) AnswerNegotiate(stream, item.negotiate());
      return;
    case Up::kSubmit:
      if (!options_.accept) return;
      answer.mutable_accepted()->set_connection(item.submit().connection());
      answer.mutable_accepted()->set_epoch(item.submit().epoch());
      answer.mutable_accepted()->set_up_to(item.submit().in_seq());
      return Add(stream, answer);
    case Up::kAnnounce:
      if (!options_.accept) return;
      answer.mutable_accepted()->set_connection(item.announce().connection());
      answer.mutable_accepted()->set_epoch(item.announce().epoch());
      answer.mutable_accepted()->set_up_to(item.announce().accepted());
      return Add(stream, answer);
    case Up::kClosed:
      if (!options_.end || item.closed().epoch() == 0) return;
      answer.mutable_ended()->set_connection(item.closed().connection());
      answer.mutable_ended()->set_epoch(item.closed().epoch());
      return Add(stream, answer);
    default:
      return;
  }
}

// <auth> with an account as its text, and <iq> to bind.
void FakeBusiness::AnswerNegotiate(Stream* stream, const xylem::v1::Negotiate& negotiate) {
  Down answer;
  Negotiated& outcome = *answer.mutable_negotiated();
  outcome.set_connection(negotiate.connection());
  if (negotiate.name() == "auth") {
    outcome.set_outcome(Negotiated::AUTHENTICATED);
    outcome.set_account(negotiate.element());
    outcome.set_ticket("identity of " + negotiate.element());
    return Add(stream, answer);
  }
  outcome.set_outcome(Negotiated::BOUND);
  outcome.set_epoch(EpochOf(negotiate.connection()));
  outcome.set_jid("somebody@localhost/here");
  stream->next_in_seq[negotiate.connection()] = 1;
  Add(stream, answer);
  Down ticket;
  ticket.mutable_ticket()->set_connection(negotiate.connection());
  ticket.mutable_ticket()->set_epoch(EpochOf(negotiate.connection()));
  ticket.mutable_ticket()->set_ticket(TicketOf(negotiate.connection()));
  Add(stream, ticket);
}

}  // namespace connmgr
