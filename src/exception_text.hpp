/// \file
/// Level 0: what an exception of user code says, for the log.
#pragma once

#include <exception>
#include <string>

namespace gw {
inline namespace v0 {
namespace detail {

/// The text of `error`, which is not null.
inline std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace gw
