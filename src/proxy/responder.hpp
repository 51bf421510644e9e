/// \file
/// How the response of an exchange gets to its client.
#pragma once

#include "h1/codec.hpp"
#include "proxy/fields.hpp"
#include "proxy/gather.hpp"
#include "proxy/pace.hpp"

#include <gw/body.hpp>

#include <cstdint>
#include <exception>
#include <string>

namespace gw {
inline namespace v0 {
namespace proxy {

struct Session;

/// Composes the head of a response, frames its content, and sends both. Part of a session; one response after the other.
class Responder {
 public:
  explicit Responder(Session& session) noexcept : s_(session) {}

  /// How far the sending is.
  enum class Sending { done, waiting, failed };

  /// Composes the head of `context.res`, and sends it with what is there of the body: nearly always all. Calls no coroutine.
  Sending begin();
  /// Sends the rest of what `begin` has begun, `sending` far. False if the client does not have it whole: then the connection must be
  /// cut, so that the client can tell (RFC 9112 8).
  Task<bool> finish(Sending sending);

  /// Whether the connection goes on behind this response. Known once it has begun.
  bool keep_alive() const noexcept { return keep_alive_; }

 private:
  ResponseFraming frame();
  bool count_chunk(Chunk chunk);
  bool add_chunk(Chunk chunk);
  Task<Sending> stream();
  Task<bool> write(Pace& pace);
  Sending note_thrown(const std::exception_ptr& thrown);

  Session& s_;
  HeadText head_;                    // while it waits to be written
  std::string framed_;               // chunk framing of the body
  Gather pieces_;                    // what is being written
  h1::Framing framing_ = h1::Framing::none;
  bool keep_alive_ = false;
  std::uint64_t length_ = 0;         // of Framing::length
  bool has_ended_ = false;           // all of the response is in `pieces_` or written
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
