#include <gw/body.hpp>

namespace gw {
inline namespace v0 {

namespace {

const Headers& no_fields() noexcept {
  static const Headers none;
  return none;
}

Task<Result<Chunk>> immediately(Chunk chunk) { co_return chunk; }

}  // namespace

const Headers& Body::Source::trailers() const { return no_fields(); }

// Not a coroutine itself: a stream costs one frame, not two.
Task<Result<Chunk>> Body::read() { return source_ ? source_->read() : immediately(*ready()); }

Task<Result<std::string>> Body::text(std::size_t limit) {
  std::string all;
  if (size().value_or(0) > limit) co_return Failure(Error::body_too_large);
  for (;;) {
    std::optional<Chunk> chunk = ready();
    if (!chunk) {
      const Result<Chunk> next = co_await read();
      if (!next) co_return next.error();
      chunk = *next;
    }
    if (chunk->empty()) co_return all;
    if (chunk->size() > limit - all.size()) co_return Failure(Error::body_too_large);
    all += *chunk;
  }
}

const Headers& Body::trailers() const { return source_ ? source_->trailers() : no_fields(); }

}  // namespace v0
}  // namespace gw
