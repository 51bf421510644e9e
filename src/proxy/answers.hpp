/// \file
/// What routes answer without an upstream: `redirect` and `reply`.
#pragma once

#include <gw/context.hpp>

#include "proxy/template.hpp"

namespace gw {
inline namespace v0 {
namespace proxy {

/// Sends the client to another target: the handler of `redirect`.
class Redirect {
 public:
  /// `status` is 301, 302, 303, 307 or 308. `keep_query`: the client's query goes behind the target.
  Redirect(Template to, int status, bool keep_query) : to_(std::move(to)), status_(status), keep_query_(keep_query) {}

  /// 400 if the template gives no target for this request.
  void operator()(Context& c) const;

 private:
  Template to_;
  int status_;
  bool keep_query_;
};

/// Gives the same answer to everybody: the handler of `reply`.
class FixedReply {
 public:
  /// `response` has a text, not a stream.
  explicit FixedReply(Response response) : response_(std::move(response)) {}

  void operator()(Context& c) const;

 private:
  Response response_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
