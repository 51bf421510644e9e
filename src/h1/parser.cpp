#include "h1/parser.hpp"

#include <llhttp.h>

#include <utility>

#if LLHTTP_VERSION_MAJOR < 9 && !LLHTTP_STRICT_MODE
#error "llhttp before 9 must be compiled with LLHTTP_STRICT_MODE=1: its loose mode takes any byte for LF"
#endif

namespace gw {
inline namespace v0 {
namespace h1 {

struct Parser::State {
  llhttp_t parser{};
  llhttp_type_t type = HTTP_REQUEST;
  Framing framing = Framing::none;
  std::uint64_t length = 0;
  bool head_complete = false;
  bool message_complete = false;
  std::optional<std::uint64_t> chunk_size;

  static State& of(llhttp_t* parser) noexcept { return *static_cast<State*>(parser->data); }

  bool agrees() const noexcept {
    const bool chunked = (parser.flags & F_CHUNKED) != 0;
    const bool has_length = (parser.flags & F_CONTENT_LENGTH) != 0;
    switch (framing) {
      case Framing::chunked: return chunked && !has_length;
      case Framing::length: return !chunked && has_length && parser.content_length == length;
      case Framing::until_close: return !chunked && !has_length;
      case Framing::none: break;
    }
    // What the fields of a bodiless response announce is the size that GET would have had.
    return type == HTTP_RESPONSE || (!chunked && !has_length);
  }

  static int on_headers_complete(llhttp_t* parser) {
    State& state = of(parser);
    state.head_complete = true;
    if (!state.agrees()) return -1;
    constexpr int no_body = 1;
    return state.framing == Framing::none ? no_body : 0;
  }
  static int on_chunk_header(llhttp_t* parser) {
    of(parser).chunk_size = parser->content_length;
    return 0;
  }
  static int on_message_complete(llhttp_t* parser) {
    of(parser).message_complete = true;
    return 0;
  }

  static const llhttp_settings_t& settings() noexcept {
    static const llhttp_settings_t all = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_headers_complete = on_headers_complete;
      s.on_chunk_header = on_chunk_header;
      s.on_message_complete = on_message_complete;
      return s;
    }();
    return all;
  }

  /// Whether every byte was taken. An upgrade stops llhttp at the end of its message, which is as good.
  bool execute(std::string_view bytes) noexcept {
    const llhttp_errno_t code = llhttp_execute(&parser, bytes.data(), bytes.size());
    if (code == HPE_OK) return true;
    return code == HPE_PAUSED_UPGRADE && llhttp_get_error_pos(&parser) == bytes.data() + bytes.size();
  }
};

Parser::Parser(Kind kind) : state_(std::make_unique<State>()) {
  state_->type = kind == Kind::request ? HTTP_REQUEST : HTTP_RESPONSE;
  reset();
}

Parser::~Parser() = default;

void Parser::reset() noexcept {
  llhttp_init(&state_->parser, state_->type, &State::settings());
  state_->parser.data = state_.get();
  state_->head_complete = false;
  state_->message_complete = false;
  state_->chunk_size.reset();
}

void Parser::expect(Framing framing, std::uint64_t length) noexcept {
  state_->framing = framing;
  state_->length = length;
}

bool Parser::has_accepted_head() const noexcept {
  const bool has_rest = state_->framing == Framing::chunked || state_->framing == Framing::until_close || state_->length > 0;
  return state_->head_complete && state_->message_complete != has_rest;
}

bool Parser::feed(std::string_view bytes) noexcept { return state_->execute(bytes); }

std::optional<std::uint64_t> Parser::take_chunk_size() noexcept { return std::exchange(state_->chunk_size, std::nullopt); }

bool Parser::is_complete() const noexcept { return state_->message_complete; }

}  // namespace h1
}  // namespace v0
}  // namespace gw
