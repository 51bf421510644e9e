/// \file
/// Level 4: hashes of passwords, and the credentials of RFC 7617.
#pragma once

#include <gw/version.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace detail {

/// What is wrong with the hash of a password, or nothing: it is one of crypt(3) with SHA-512, SHA-256, yescrypt or
/// bcrypt. The message does not repeat it: it may be a password at a wrong place.
std::string password_hash_mistake(std::string_view hash);

/// Whether `password` has the hash `hash`. Takes milliseconds, by intention. Any thread.
bool is_password(const std::string& password, const std::string& hash);

/// A name and a password.
struct NamedPassword {
  std::string name, password;
};

/// What the token of "Basic TOKEN" says; nothing if it is no base64, has no colon, no name, a control character, or more
/// than 1024 digits (RFC 7617 2).
std::optional<NamedPassword> parse_basic(std::string_view token);

}  // namespace detail
}  // namespace v0
}  // namespace gw
