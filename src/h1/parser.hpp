/// \file
/// Level 1: llhttp behind a wall; its header is seen by parser.cpp alone.
#pragma once

#include "h1/rules.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace h1 {

/// The second opinion on a head that the guard has passed, and the reader of chunk sizes.
///
/// Two parsers that were written apart must agree on where a message ends before it is believed.
/// One allocation when made, none after.
class Parser {
 public:
  enum class Kind : std::uint8_t { request, response };

  explicit Parser(Kind kind);
  ~Parser();

  /// Forgets everything: the next bytes begin a head.
  void reset() noexcept;

  /// Says, before anything is fed, how the guard's rules frame the body: llhttp's own reading must be the same.
  void expect(Framing framing, std::uint64_t length) noexcept;
  /// Feeds bytes of a head or of a chunked body; whether they are well-formed.
  [[nodiscard]] bool feed(std::string_view bytes) noexcept;
  /// Whether what was fed is a head, whole and alone, that frames its body as expected.
  bool has_accepted_head() const noexcept;
  /// The size of the chunk whose head `feed` has just completed; asking takes it.
  std::optional<std::uint64_t> take_chunk_size() noexcept;
  /// Whether the last chunk and the trailers were fed.
  bool is_complete() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace h1
}  // namespace v0
}  // namespace gw
