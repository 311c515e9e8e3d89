#include "business/link/deliver_writer.h"

#include "lib/runtime/rpc_batch.h"

namespace business {
namespace {

using runtime::WireWriter;

constexpr size_t kFixed64Size = 9;  // with its tag

size_t BytesSize(size_t size) { return size == 0 ? 0 : 1 + WireWriter::VarintSize(size) + size; }

size_t TargetSize(const DeliverTarget& target) {
  return (target.owner.connection != 0 ? kFixed64Size : 0) +
         (target.owner.epoch != 0 ? kFixed64Size : 0) +
         (target.out_seq != 0 ? 1 + WireWriter::VarintSize(target.out_seq) : 0) +
         BytesSize(target.to.size()) + BytesSize(target.effect.size()) +
         (target.generation != 0 ? 1 + WireWriter::VarintSize(target.generation) : 0);
}

}  // namespace

void WriteDeliverHead(uint64_t number, const DeliverBody& body,
                      const std::vector<DeliverTarget>& targets, std::string* head) {
  head->clear();
  WireWriter out(head);
  out.Uint(1, number);
  out.Uint(3, body.splice_offset);
  out.Uint(4, body.stanza_class);
  for (const DeliverTarget& target : targets) {
    out.Length(5, TargetSize(target));
    out.Fixed64(1, target.owner.connection);
    out.Fixed64(2, target.owner.epoch);
    out.Uint(3, target.out_seq);
    out.Bytes(4, target.to);
    out.Bytes(5, target.effect);
    out.Uint(6, target.generation);
  }
  out.Uint(6, body.flags);
  out.Uint(7, body.kind);
  out.Length(2, body.bytes.size());
}

void WriteAccepted(uint64_t connection, cluster::Epoch epoch, uint64_t up_to, std::string* out) {
  out->clear();
  WireWriter writer(out);
  writer.Fixed64(1, connection);
  writer.Fixed64(2, epoch);
  writer.Uint(3, up_to);
}

}  // namespace business
