// A caching allocator for CPU tensors, like libtorch's for CUDA. Each training step
// allocates and frees the same gigabytes as the step before; without a cache, the
// operating system would clear and map every page again.
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

// Header in front of the data, since freeing only receives a pointer to the data.
struct alignas(c10::gAlignment) Block {
  size_t size;  // including this header
  uint64_t freedAt;
  void* data() { return this + 1; }
};

// Rounds up to a multiple of a sixteenth of the size's power of two, so that similar sizes share blocks.
size_t roundUp(size_t bytes) {
  size_t step = smallestCached / 16;
  while (step * 32 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

// Maps memory directly on Linux: a heap could not return free memory between blocks in use.
Block* map(size_t size) {
#ifdef __linux__
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TORCH_CHECK(memory != MAP_FAILED, "can't allocate memory: you tried to allocate ", size, " bytes");
  // Huge pages save page faults; below their size they would waste memory.
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

// Caches freed blocks; memory in use and cached together stays below the recent peak of memory in use.
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
  // Allocations, about those of several training steps, after which an earlier peak no longer counts.
  static constexpr uint64_t window = 1 << 16;

  static void free(void* data);

  Block* allocateBlock(size_t size) {
    const std::lock_guard lock(mutex_);
    const auto found = bySize_.lower_bound(size);
    Block* block;
    if (found != bySize_.end() && found->first <= size + size / 8) {
      block = found->second;
      removeFromCache(block);
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
    removeFromCache(block);
    unmap(block);
  }

  void removeFromCache(Block* block) {
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

// Never deleted, as tensors may outlive everything else.
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
