// Memory of tensors on the processor: large blocks are kept when they are freed, and given out again. A step takes and frees the same
// gigabytes as the one before it; from the operating system, every page of them would be cleared and mapped anew.
#include "addon.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <map>
#include <mutex>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace limpid {

namespace {

constexpr size_t smallestKept = 128 << 10;
constexpr size_t hugePage = 2 << 20;

// Stands before the data: whoever frees a block has a pointer to its data and nothing else.
struct alignas(c10::gAlignment) Block {
  size_t size;
  uint64_t freedAt;
  void* data() { return this + 1; }
};

// A sixteenth of the size's power of two at most is more than was asked for: sizes that are alike share their blocks.
size_t roundUp(size_t bytes) {
  size_t step = smallestKept / 16;
  while (step * 32 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

// Fewer and larger pages, where the system has them: of the block's inside, so that it needs no alignment.
void adviseHugePages([[maybe_unused]] void* data, [[maybe_unused]] size_t size) {
#ifdef MADV_HUGEPAGE
  const auto start = (reinterpret_cast<uintptr_t>(data) + hugePage - 1) / hugePage * hugePage;
  const auto end = (reinterpret_cast<uintptr_t>(data) + size) / hugePage * hugePage;
  if (end > start) madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
#endif
}

// Holds, in use and kept together, no more than was once in use at a time.
class KeepingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : (bytes < smallestKept ? create(bytes) : take(roundUp(bytes)))->data();
    return {data, data, give, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return give; }

  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }

 private:
  static void give(void* data);

  Block* take(size_t size) {
    const std::lock_guard lock(mutex_);
    auto found = kept_.lower_bound(size);
    Block* block;
    if (found != kept_.end() && found->first <= size + size / 8) {
      block = found->second;
      kept_.erase(found);
      keptBytes_ -= block->size;
    } else {
      while (!kept_.empty() && inUse_ + keptBytes_ + size > mostInUse_) releaseOldest();
      block = createAtAnyCost(size);
    }
    inUse_ += block->size;
    mostInUse_ = std::max(mostInUse_, inUse_);
    return block;
  }

  void keep(Block* block) {
    const std::lock_guard lock(mutex_);
    inUse_ -= block->size;
    keptBytes_ += block->size;
    block->freedAt = clock_++;
    kept_.emplace(block->size, block);
  }

  static Block* create(size_t size) {
    auto* block = static_cast<Block*>(c10::alloc_cpu(sizeof(Block) + size));
    block->size = size;
    return block;
  }

  Block* createAtAnyCost(size_t size) {
    Block* block;
    try {
      block = create(size);
    } catch (const c10::Error&) {
      if (kept_.empty()) throw;
      while (!kept_.empty()) releaseOldest();
      block = create(size);
    }
    adviseHugePages(block, size);
    return block;
  }

  void releaseOldest() {
    const auto oldest = std::min_element(
        kept_.begin(), kept_.end(), [](const auto& a, const auto& b) { return a.second->freedAt < b.second->freedAt; });
    keptBytes_ -= oldest->first;
    c10::free_cpu(oldest->second);
    kept_.erase(oldest);
  }

  std::mutex mutex_;
  std::multimap<size_t, Block*> kept_;
  size_t inUse_ = 0, keptBytes_ = 0, mostInUse_ = 0;
  uint64_t clock_ = 0;
};

// Never deleted: tensors may outlive everything else.
auto& allocator = *new KeepingAllocator();

void KeepingAllocator::give(void* data) {
  if (data == nullptr) return;
  auto* block = static_cast<Block*>(data) - 1;
  if (block->size < smallestKept) c10::free_cpu(block);
  else allocator.keep(block);
}

}  // namespace

void keepMemory() { c10::SetCPUAllocator(&allocator); }

}  // namespace limpid
