// Memory of tensors on the processor: large blocks are kept when they are freed, and given out again. A step takes and frees the same
// gigabytes as the one before it; from the operating system, every page of them would be cleared and mapped anew.
#include "addon.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace limpid {

namespace {

constexpr size_t smallestKept = 128 << 10;

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

// Of the operating system itself where that can be asked: a heap would hold on to what lies between blocks in use.
Block* create(size_t size) {
#ifdef __linux__
  void* data = mmap(nullptr, sizeof(Block) + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TORCH_CHECK(data != MAP_FAILED, "can't allocate memory: you tried to allocate ", size, " bytes");
  madvise(data, sizeof(Block) + size, MADV_HUGEPAGE);
#else
  void* data = c10::alloc_cpu(sizeof(Block) + size);
#endif
  return new (data) Block{size, 0};
}

void release(Block* block) {
#ifdef __linux__
  munmap(block, sizeof(Block) + block->size);
#else
  c10::free_cpu(block);
#endif
}

// Holds, in use and kept together, no more than was once in use at a time.
class KeepingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : (bytes < smallestKept ? createSmall(bytes) : take(roundUp(bytes)))->data();
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

  static Block* createSmall(size_t size) { return new (c10::alloc_cpu(sizeof(Block) + size)) Block{size, 0}; }

  Block* createAtAnyCost(size_t size) {
    try {
      return create(size);
    } catch (const c10::Error&) {
      if (kept_.empty()) throw;
      while (!kept_.empty()) releaseOldest();
      return create(size);
    }
  }

  void releaseOldest() {
    const auto oldest = std::min_element(
        kept_.begin(), kept_.end(), [](const auto& a, const auto& b) { return a.second->freedAt < b.second->freedAt; });
    keptBytes_ -= oldest->first;
    release(oldest->second);
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
