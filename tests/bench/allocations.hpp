/// \file
/// Counts the allocations of a program; for one of its sources, since it replaces `operator new`.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace gw_bench {
/// Of this thread so far.
thread_local std::size_t allocations = 0;
}  // namespace gw_bench

void* operator new(std::size_t size) {
  ++gw_bench::allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++gw_bench::allocations;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* const memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
