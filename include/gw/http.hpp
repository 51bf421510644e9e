/// \file
/// Level 1: the words of HTTP (RFC 9110) that need no event loop: methods, versions, statuses,
/// header fields. Std only.
#pragma once

#include <gw/detail/arena.hpp>
#include <gw/error.hpp>

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// The request methods gw knows: RFC 9110 9.3, PATCH, and those of WebDAV and CalDAV. Any other
/// is answered 501.
enum class Method : std::uint8_t {
  get, head, post, put, delete_, connect, options, trace, patch,
  copy, lock, mkcol, move, propfind, proppatch, search, unlock, bind, rebind, unbind, acl, report,
  mkactivity, checkout, merge, mkcalendar, link, unlink, purge, notify, subscribe, unsubscribe,
};

namespace detail {
inline constexpr std::array<std::string_view, 32> method_names{
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    "COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "SEARCH", "UNLOCK", "BIND", "REBIND", "UNBIND", "ACL", "REPORT",
    "MKACTIVITY", "CHECKOUT", "MERGE", "MKCALENDAR", "LINK", "UNLINK", "PURGE", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE"};
}

/// "GET" for `Method::get`. Lives for ever.
constexpr std::string_view to_string(Method m) noexcept { return detail::method_names[static_cast<std::size_t>(m)]; }

/// The method named `name` (case-sensitive, RFC 9110 9.1), or nothing.
constexpr std::optional<Method> parse_method(std::string_view name) noexcept {
  for (std::size_t i = 0; i < detail::method_names.size(); ++i)
    if (detail::method_names[i] == name) return static_cast<Method>(i);
  return std::nullopt;
}

/// Whether repeating a request with `m` has the effect of one (RFC 9110 9.2.2).
constexpr bool is_idempotent(Method m) noexcept {
  switch (m) {
    case Method::get: case Method::head: case Method::put: case Method::delete_: case Method::options: case Method::trace:
    case Method::propfind: case Method::search: case Method::report: return true;
    default: return false;
  }
}

/// A set of methods, one bit each. Empty means "any" where a route uses it.
class MethodSet {
 public:
  constexpr MethodSet() noexcept = default;
  constexpr MethodSet(std::initializer_list<Method> methods) noexcept {
    for (Method m : methods) insert(m);
  }
  constexpr void insert(Method m) noexcept { bits_ |= bit(m); }
  constexpr bool contains(Method m) const noexcept { return (bits_ & bit(m)) != 0; }
  constexpr bool empty() const noexcept { return bits_ == 0; }
  constexpr bool intersects(MethodSet other) const noexcept { return (bits_ & other.bits_) != 0; }
  constexpr MethodSet operator|(MethodSet other) const noexcept { other.bits_ |= bits_; return other; }
  constexpr bool operator==(const MethodSet&) const noexcept = default;
  /// Some order, for maps.
  constexpr auto operator<=>(const MethodSet&) const noexcept = default;

 private:
  static constexpr std::uint32_t bit(Method m) noexcept { return std::uint32_t{1} << static_cast<unsigned>(m); }
  std::uint32_t bits_ = 0;
};

/// The version of a message as received. gw itself speaks HTTP/1.1.
enum class Version : std::uint8_t { http10, http11 };

/// The standard phrase of a status (RFC 9110 15), empty if it has none. Lives for ever.
constexpr std::string_view reason_phrase(int status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 208: return "Already Reported";
    case 226: return "IM Used";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 305: return "Use Proxy";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 418: return "I'm a teapot";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 506: return "Variant Also Negotiates";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    case 511: return "Network Authentication Required";
    default: return "";
  }
}

namespace detail {

/// Whether eight bytes are equal but for the case of letters.
constexpr bool iequals_eight(std::uint64_t a, std::uint64_t b) noexcept {
  constexpr std::uint64_t each = 0x0101010101010101;
  const std::uint64_t difference = a ^ b;
  if (difference == 0) return true;
  if ((difference & ~(each * 0x20)) != 0) return false;
  // Bytes that differ do so by 0x20 alone: fine if they are letters. Lower case, then the high bit of
  // each byte tells: not above 'z', not below 'a', ASCII.
  const std::uint64_t lower = a | (each * 0x20);
  const std::uint64_t at_most_z = (each * (0x80 + 'z')) - (lower & (each * 0x7f));
  const std::uint64_t at_least_a = ((lower & (each * 0x7f)) | (each * 0x80)) - each * 'a';
  const std::uint64_t letter = at_most_z & at_least_a & ~lower & (each * 0x80);
  return ((difference << 2) & ~letter & (each * 0x80)) == 0;
}

/// The same for one word at each of two places.
template <class Word>
bool iequals_words(const char* a, const char* b) noexcept {
  Word x, y;
  std::memcpy(&x, a, sizeof x);
  std::memcpy(&y, b, sizeof y);
  return iequals_eight(x, y);
}

constexpr bool iequals_one(unsigned char a, unsigned char b) noexcept {
  const unsigned char lower = a | 0x20;
  return a == b || (lower == (b | 0x20) && lower >= 'a' && lower <= 'z');
}

}  // namespace detail

/// ASCII comparison without case, as field names need it (RFC 9110 5.1).
constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  if (!std::is_constant_evaluated()) {
    // Whole words from the left, then one that ends at the end and may look at some bytes again.
    if (a.size() >= 8) {
      for (std::size_t i = 0; i + 8 < a.size(); i += 8)
        if (!detail::iequals_words<std::uint64_t>(a.data() + i, b.data() + i)) return false;
      return detail::iequals_words<std::uint64_t>(a.data() + a.size() - 8, b.data() + b.size() - 8);
    }
    if (a.size() >= 4)
      return detail::iequals_words<std::uint32_t>(a.data(), b.data()) &&
             detail::iequals_words<std::uint32_t>(a.data() + a.size() - 4, b.data() + b.size() - 4);
  }
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!detail::iequals_one(static_cast<unsigned char>(a[i]), static_cast<unsigned char>(b[i]))) return false;
  return true;
}

namespace detail {
/// tchar of RFC 9110 5.6.2.
inline constexpr auto token_characters = [] {
  std::array<bool, 256> table{};
  for (unsigned char c : std::string_view("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) table[c] = true;
  return table;
}();
}  // namespace detail

/// Whether `name` is a token (RFC 9110 5.6.2): what methods and field names are made of.
constexpr bool is_token(std::string_view name) noexcept {
  for (unsigned char c : name)
    if (!detail::token_characters[c]) return false;
  return !name.empty();
}
/// Whether `value` may stand in a field: no control but HTAB, no space at either end (RFC 9110 5.5).
constexpr bool is_field_value(std::string_view value) noexcept {
  for (unsigned char c : value)
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  return value.empty() || (!space(value.front()) && !space(value.back()));
}

/// Calls `f(element)` for each element of a comma-separated list (RFC 9110 5.6.1), trimmed, empty
/// ones left out. Commas inside quoted strings do not split.
template <class F>
void for_each_element(std::string_view list, F&& f) {
  std::size_t start = 0;
  bool quoted = false;
  // Most lists have one element, of which only the ends matter.
  for (std::size_t i = list.find(',') == list.npos ? list.size() : 0; i <= list.size(); ++i) {
    if (i < list.size()) {
      if (list[i] == '"') quoted = !quoted;
      else if (quoted && list[i] == '\\' && i + 1 < list.size()) ++i;
      if (quoted || list[i] != ',') continue;
    }
    std::string_view element = list.substr(start, i - start);
    while (!element.empty() && (element.front() == ' ' || element.front() == '\t')) element.remove_prefix(1);
    while (!element.empty() && (element.back() == ' ' || element.back() == '\t')) element.remove_suffix(1);
    if (!element.empty()) f(element);
    start = i + 1;
  }
}

/// Whether the list `list` has `element`, compared without case.
inline bool has_element(std::string_view list, std::string_view element) noexcept {
  bool found = false;
  for_each_element(list, [&](std::string_view e) { found = found || iequals(e, element); });
  return found;
}

/// The header fields of a message, in their order; names compare without case.
///
/// Views that it returns live until the `Headers` is cleared or destroyed; edits append to its
/// memory and never invalidate a view. A copy owns all its text; a moved one keeps its views. A
/// parsed message's fields are views into the connection's buffer, valid until the request's last
/// `done` hook. One thread at a time.
class Headers {
 public:
  /// One field. `name` as received, `value` without white space around it.
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  Headers() noexcept = default;
  /// `Headers h{{"accept", "*/*"}};`; checks like `add`.
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    for (const auto& [name, value] : fields) add(name, value);
  }
  Headers(const Headers& other) { *this = other; }
  Headers& operator=(const Headers& other) {
    if (this == &other) return *this;
    clear();
    fields_.reserve(other.fields_.size());
    for (const Field& f : other.fields_) fields_.push_back({arena_.copy(f.name), arena_.copy(f.value)});
    return *this;
  }
  Headers(Headers&&) noexcept = default;
  Headers& operator=(Headers&&) noexcept = default;

  /// The first value of `name`, empty if absent. For "absent or empty?" use `get`.
  std::string_view operator[](std::string_view name) const noexcept {
    const Field* f = find(name);
    return f ? f->value : std::string_view{};
  }
  /// The first value of `name`, or nothing.
  std::optional<std::string_view> get(std::string_view name) const noexcept {
    const Field* f = find(name);
    return f ? std::optional(f->value) : std::nullopt;
  }
  bool has(std::string_view name) const noexcept { return find(name) != nullptr; }
  /// How many fields are called `name`.
  std::size_t count(std::string_view name) const noexcept {
    std::size_t n = 0;
    for (const Field& f : fields_) n += iequals(f.name, name);
    return n;
  }

  /// Appends a field. Throws std::invalid_argument if `name` is no token or `value` could not be
  /// sent as one line: text from outside must not be able to forge a field.
  void add(std::string_view name, std::string_view value) {
    check(name, value);
    fields_.push_back({arena_.copy(name), arena_.copy(value)});
  }
  /// Replaces every field `name` by one, at the place of the first. Throws like `add`.
  void set(std::string_view name, std::string_view value) {
    check(name, value);
    const std::string_view kept = arena_.copy(value);
    const auto same_name = [name](const Field& f) { return iequals(f.name, name); };
    const auto first = std::find_if(fields_.begin(), fields_.end(), same_name);
    if (first == fields_.end()) {
      fields_.push_back({arena_.copy(name), kept});
      return;
    }
    first->value = kept;
    fields_.erase(std::remove_if(first + 1, fields_.end(), same_name), fields_.end());
  }
  /// Removes every field `name`; how many there were.
  std::size_t remove(std::string_view name) noexcept {
    return remove_if([&](const Field& f) { return iequals(f.name, name); });
  }
  /// Removes every field of which `test(field)` holds; how many there were.
  template <class F>
  std::size_t remove_if(F&& test) {
    // Not std::erase_if, whose search is unrolled: heads are short, and this runs for every message.
    auto kept = fields_.begin();
    for (const Field& f : fields_)
      if (!test(f)) *kept++ = f;
    const auto removed = static_cast<std::size_t>(fields_.end() - kept);
    fields_.erase(kept, fields_.end());
    return removed;
  }
  void clear() noexcept {
    fields_.clear();
    arena_.clear();
  }

  /// Appends a field without copying or checking it: for codecs, and for constant text. The views
  /// must outlive this object and hold a valid field.
  void borrow(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }

  auto begin() const noexcept { return fields_.begin(); }
  auto end() const noexcept { return fields_.end(); }
  std::size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }

 private:
  const Field* find(std::string_view name) const noexcept {
    for (const Field& f : fields_)
      if (iequals(f.name, name)) return &f;
    return nullptr;
  }
  static void check(std::string_view name, std::string_view value) {
    if (!is_token(name)) throw std::invalid_argument("header name is not a token: \"" + std::string(name) + '"');
    if (!is_field_value(value)) throw std::invalid_argument("header value of " + std::string(name) + " has a control character or space at its end");
  }

  std::vector<Field> fields_;
  detail::Arena arena_;
};

}  // namespace v0
}  // namespace gw
