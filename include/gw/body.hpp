/// \file
/// Level 1: the content of a message, pulled piece by piece.
#pragma once

#include <gw/http.hpp>
#include <gw/task.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {

/// A piece of a body; the bytes live until the next `read()` of the same body. Empty: the body ended.
using Chunk = std::string_view;

/// The content of a request or response: nothing, a text, or a source that is pulled, so that a
/// slow reader slows the writer. Move-only. Belongs to the worker of its request.
class GW_EXPORT Body {
 public:
  /// Where the bytes of a streamed body come from. A filter is a source around a `Body`:
  /// `c.res.body = Body(std::make_unique<Upper>(std::move(c.res.body)));`
  class GW_EXPORT Source {
   public:
    virtual ~Source() = default;

    /// What can be had without waiting: a chunk (empty: the body ended), or nothing: call `read()`.
    /// Optional; it spares `read()`'s coroutine.
    virtual std::optional<Chunk> ready() { return std::nullopt; }
    /// The next chunk, empty at the end. After a failure or the end it is not called again.
    virtual Task<Result<Chunk>> read() = 0;
    /// Nobody will read on: a pending `read()` should fail soon. Optional.
    virtual void cancel() {}
    /// How many bytes the whole body has, if known before reading it.
    virtual std::optional<std::uint64_t> size() const { return std::nullopt; }
    /// The trailer fields (RFC 9110 6.5), complete once the end was read. None unless overridden.
    virtual const Headers& trailers() const;
  };

  /// No content.
  Body() noexcept = default;
  /// The whole content.
  Body(std::string text) noexcept : text_(std::move(text)) {}
  Body(std::string_view text) : text_(text) {}
  Body(const char* text) : text_(text) {}
  /// Content that is pulled from `source`.
  explicit Body(std::unique_ptr<Source> source) noexcept : source_(source.release(), &destroy) {}
  /// The same without ownership: `source` must outlive the body.
  static Body borrow(Source& source) noexcept { return Body(&source, &keep); }
  /// The same with its own way to give the source back.
  Body(Source* source, void (*release)(Source*)) noexcept : source_(source, release) {}

  Body(Body&&) noexcept = default;
  Body& operator=(Body&&) noexcept = default;

  /// Makes it no content: `*this = Body()`, which nearly always has nothing to do.
  void clear() noexcept {
    if (source_) source_.reset();
    if (!text_.empty()) text_ = std::string();
    text_read_ = false;
  }

  /// Whether there is nothing to send. A source counts as something, even if it ends at once.
  bool empty() const noexcept { return !source_ && text_.empty(); }
  /// Whether the content is `source` itself, not wrapped and not replaced.
  bool comes_from(const Source& source) const noexcept { return source_.get() == &source; }
  /// Whether the content is a source.
  bool is_stream() const noexcept { return source_ != nullptr; }
  /// The text, empty for a stream. Lives as long as this body is not moved or changed.
  std::string_view text() const noexcept { return text_; }

  /// How many bytes the body has, if known before reading it.
  std::optional<std::uint64_t> size() const { return source_ ? source_->size() : std::optional<std::uint64_t>(text_.size()); }
  /// What can be had without waiting; see `Source::ready`.
  std::optional<Chunk> ready() {
    if (source_) return source_->ready();
    return text_read_ ? Chunk{} : (text_read_ = true, Chunk(text_));
  }
  /// The next chunk, empty at the end.
  Task<Result<Chunk>> read();
  /// The rest of the content as one text; `Error::body_too_large` past `limit` bytes, as soon as that
  /// is known. The body must stay where it is until the task ends.
  Task<Result<std::string>> text(std::size_t limit);
  /// The trailer fields, complete once the end was read; only a source has any.
  const Headers& trailers() const;
  /// Makes a pending `read()` of the source fail soon.
  void cancel() {
    if (source_) source_->cancel();
  }

 private:
  static void destroy(Source* s) { delete s; }
  static void keep(Source*) {}

  std::string text_;
  bool text_read_ = false;
  std::unique_ptr<Source, void (*)(Source*)> source_{nullptr, &keep};
};

}  // namespace v0
}  // namespace gw
