#include "file_settings.hpp"

#include <cstddef>
#include <tuple>
#include <type_traits>

namespace gw {
inline namespace v0 {

namespace {

// References to the members of settings. One that is forgotten here does not compile.
template <class T>
  requires std::is_same_v<std::remove_const_t<T>, Timeouts>
auto members(T& t) {
  auto& [client_header, client_idle, client_body, client_write, drain] = t;
  return std::tie(client_header, client_idle, client_body, client_write, drain);
}
template <class L>
  requires std::is_same_v<std::remove_const_t<L>, Limits>
auto members(L& l) {
  auto& [head, fields, target, body, trailers, chunk_extensions, connections, per_client, requests, body_rate, write_rate] = l;
  return std::tie(head, fields, target, body, trailers, chunk_extensions, connections, per_client, requests, body_rate, write_rate);
}

// Each member of `code` that differs from that of `file` goes to `to`. Three tuples of references.
template <std::size_t I = 0, class To, class From>
void keep_changed(const To& to, const From& code, const From& file) {
  if constexpr (I < std::tuple_size_v<To>) {
    if (std::get<I>(code) != std::get<I>(file)) std::get<I>(to) = std::get<I>(code);
    keep_changed<I + 1>(to, code, file);
  }
}

}  // namespace

FileSettings::FileSettings(const Config& read)
    : timeouts_(read.timeouts), limits_(read.limits), wrong_method_(read.wrong_method), name_servers_(read.name_servers) {}

void FileSettings::keep_changes(Config& next, const Config& present) const {
  keep_changed(members(next.timeouts), members(present.timeouts), members(timeouts_));
  keep_changed(members(next.limits), members(present.limits), members(limits_));
  keep_changed(std::tie(next.wrong_method, next.name_servers), std::tie(present.wrong_method, present.name_servers),
               std::tie(wrong_method_, name_servers_));
}

}  // namespace v0
}  // namespace gw
