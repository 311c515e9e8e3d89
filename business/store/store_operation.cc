#include "business/store/store_operation.h"

#include <algorithm>

namespace business {

bool StoreOperation::RunTogether(SqlConnection& connection, std::span<StoreOperation* const> all) {
  return std::all_of(all.begin(), all.end(),
                     [&](StoreOperation* operation) { return operation->Run(connection); });
}

void AnswerOnLoops(std::vector<StoreOperationPtr> operations) {
  std::stable_sort(operations.begin(), operations.end(),
                   [](const StoreOperationPtr& a, const StoreOperationPtr& b) {
                     return std::less<>()(a->loop, b->loop);
                   });
  auto first = operations.begin();
  while (first != operations.end()) {
    runtime::EventLoop* loop = (*first)->loop;
    const auto last = std::find_if(first, operations.end(),
                                   [loop](const StoreOperationPtr& o) { return o->loop != loop; });
    std::vector<StoreOperationPtr> own(std::make_move_iterator(first),
                                       std::make_move_iterator(last));
    loop->Post([own = std::move(own)] {
      for (const StoreOperationPtr& operation : own) operation->Answer();
    });
    first = last;
  }
}

}  // namespace business
