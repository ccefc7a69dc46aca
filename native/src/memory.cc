// Memory of tensors on the processor: a caching allocator, as libtorch has one for CUDA. A step takes and frees the same gigabytes as the
// one before it; from the operating system, every page of them would be cleared and mapped anew.
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

constexpr size_t smallestCached = 128 << 10;

// Stands before the data: whoever frees a block has a pointer to its data and nothing else.
struct alignas(c10::gAlignment) Block {
  size_t size;  // of all of it
  uint64_t freedAt;
  void* data() { return this + 1; }
};

// A sixteenth of the size's power of two at most is more than was asked for: sizes that are alike share their blocks.
size_t roundUp(size_t bytes) {
  size_t step = smallestCached / 16;
  while (step * 32 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

// Of the operating system itself where that can be asked: a heap would hold on to what lies between blocks in use.
Block* map(size_t size) {
#ifdef __linux__
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TORCH_CHECK(memory != MAP_FAILED, "can't allocate memory: you tried to allocate ", size, " bytes");
  // Few large pages in place of many small ones, each of which costs a fault; below their size they would be a waste.
  constexpr size_t hugePage = 2 << 20;
  if (size >= hugePage) madvise(memory, size, MADV_HUGEPAGE);
#else
  void* memory = c10::alloc_cpu(size);
#endif
  return new (memory) Block{size, 0};
}

void unmap(Block* block) {
#ifdef __linux__
  munmap(block, block->size);
#else
  c10::free_cpu(block);
#endif
}

// Holds, in use and cached together, no more than was lately in use at a time.
class CachingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = nullptr;
    if (bytes > 0) {
      const auto size = sizeof(Block) + bytes;
      data = (size < smallestCached ? new (c10::alloc_cpu(size)) Block{size, 0} : allocateBlock(roundUp(size)))->data();
    }
    return {data, data, free, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return free; }

  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }

 private:
  // Allocations after which a peak before them no longer counts: those of several steps.
  static constexpr uint64_t window = 1 << 16;

  static void free(void* data);

  Block* allocateBlock(size_t size) {
    const std::lock_guard lock(mutex_);
    const auto found = bySize_.lower_bound(size);
    Block* block;
    if (found != bySize_.end() && found->first <= size + size / 8) {
      block = found->second;
      forget(block);
    } else {
      while (!byAge_.empty() && inUse_ + cached_ + size > limit()) releaseOldest();
      block = mapAfterRelease(size);
    }
    inUse_ += block->size;
    if (++allocations_ % window == 0) {
      peakBefore_ = peak_;
      peak_ = 0;
    }
    peak_ = std::max(peak_, inUse_);
    return block;
  }

  void cache(Block* block) {
    const std::lock_guard lock(mutex_);
    block->freedAt = clock_++;
    inUse_ -= block->size;
    cached_ += block->size;
    bySize_.emplace(block->size, block);
    byAge_.emplace(block->freedAt, block);
    while (!byAge_.empty() && inUse_ + cached_ > limit()) releaseOldest();
  }

  size_t limit() const { return std::max(peak_, peakBefore_); }

  Block* mapAfterRelease(size_t size) {
    try {
      return map(size);
    } catch (const c10::Error&) {
      if (byAge_.empty()) throw;
      while (!byAge_.empty()) releaseOldest();
      return map(size);
    }
  }

  void releaseOldest() {
    auto* block = byAge_.begin()->second;
    forget(block);
    unmap(block);
  }

  void forget(Block* block) {
    cached_ -= block->size;
    byAge_.erase(block->freedAt);
    auto [at, end] = bySize_.equal_range(block->size);
    bySize_.erase(std::find_if(at, end, [&](const auto& entry) { return entry.second == block; }));
  }

  std::mutex mutex_;
  std::multimap<size_t, Block*> bySize_;
  std::map<uint64_t, Block*> byAge_;
  size_t inUse_ = 0, cached_ = 0, peak_ = 0, peakBefore_ = 0;
  uint64_t clock_ = 0, allocations_ = 0;
};

// Never deleted: tensors may outlive everything else.
auto& allocator = *new CachingAllocator();

void CachingAllocator::free(void* data) {
  if (data == nullptr) return;
  auto* block = static_cast<Block*>(data) - 1;
  if (block->size < smallestCached) c10::free_cpu(block);
  else allocator.cache(block);
}

}  // namespace

void useCachingAllocator() {
  static std::once_flag once;
  std::call_once(once, [] { c10::SetCPUAllocator(&allocator); });
}

}  // namespace limpid
