#include "net/dns_reply.hpp"

#include <gw/http.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace gw {
inline namespace v0 {
namespace net {

namespace {

constexpr std::uint16_t cname_type = 5;
constexpr std::uint16_t internet_class = 1;
constexpr std::size_t longest_name = 254;  // as text

/// Takes one thing after the other. After the first that is not there, it is broken and gives zeros.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> message) : message_(message) {}

  bool is_broken() const noexcept { return is_broken_; }
  std::size_t position() const noexcept { return at_; }

  std::span<const std::uint8_t> bytes(std::size_t size) {
    if (is_broken_ || size > message_.size() - at_) return is_broken_ = true, std::span<const std::uint8_t>();
    at_ += size;
    return message_.subspan(at_ - size, size);
  }
  std::uint16_t number() {
    const auto two = bytes(2);
    return two.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(two[0] << 8 | two[1]);
  }
  std::uint32_t long_number() {
    const std::uint32_t high = number();
    return high << 16 | number();
  }
  /// A name with its labels joined by dots, compressed or not (RFC 1035 4.1.4); "." is the root.
  std::string name() {
    std::string text;
    // Every jump goes to before where the one before it went, so that jumps end.
    for (std::size_t at = at_, start = at_, end = 0;;) {
      if (is_broken_ || at >= message_.size()) return broken();
      const std::size_t length = message_[at];
      if (length == 0) {
        at_ = end ? end : at + 1;
        return text.empty() ? "." : text;
      }
      if (length >= 0xC0) {
        if (at + 1 >= message_.size()) return broken();
        if (!end) end = at + 2;
        at = (length & 0x3F) << 8 | message_[at + 1];
        if (at >= start) return broken();
        start = at;
        continue;
      }
      if (length > 63 || length >= message_.size() - at) return broken();
      if (!append_label(text, message_.subspan(at + 1, length))) return broken();
      at += 1 + length;
    }
  }

 private:
  std::string broken() {
    is_broken_ = true;
    return {};
  }

  static bool append_label(std::string& text, std::span<const std::uint8_t> label) {
    if (text.size() + label.size() + 1 > longest_name) return false;
    // Nothing that would have to be escaped: a dot in a label must not become one between labels.
    if (!std::all_of(label.begin(), label.end(), [](std::uint8_t c) { return c > ' ' && c < 0x7F && c != '.' && c != '\\'; })) return false;
    if (!text.empty()) text += '.';
    text.append(label.begin(), label.end());
    return true;
  }

  std::span<const std::uint8_t> message_;
  std::size_t at_ = 0;
  bool is_broken_ = false;
};

/// Takes the data of one record of `type`. False if its size does not fit.
bool take(Reader& reader, std::size_t size, RecordType type, Records& records) {
  if (type == RecordType::srv) {
    Service service;
    const std::size_t end = reader.position() + size;
    service.priority = reader.number();
    service.weight = reader.number();
    service.port = reader.number();
    service.target = reader.name();
    records.services.push_back(std::move(service));
    return reader.position() == end;
  }
  const auto data = reader.bytes(size);
  if (type == RecordType::a) {
    asio::ip::address_v4::bytes_type bytes;
    if (data.size() != bytes.size()) return false;
    std::copy(data.begin(), data.end(), bytes.begin());
    records.addresses.push_back(asio::ip::address_v4(bytes));
  } else {
    asio::ip::address_v6::bytes_type bytes;
    if (data.size() != bytes.size()) return false;
    std::copy(data.begin(), data.end(), bytes.begin());
    records.addresses.push_back(asio::ip::address_v6(bytes));
  }
  return true;
}

}  // namespace

std::optional<Records> read_reply(std::span<const std::uint8_t> reply, RecordType type) {
  Reader reader(reply);
  reader.bytes(4);  // id and flags are for whoever asked
  const std::uint16_t questions = reader.number();
  const std::uint16_t answers = reader.number();
  reader.bytes(4);
  if (questions != 1) return std::nullopt;
  std::string name = reader.name();
  reader.bytes(4);

  Records records;
  for (unsigned i = 0; i < answers && !reader.is_broken(); ++i) {
    const std::string owner = reader.name();
    const std::uint16_t record_type = reader.number();
    const std::uint16_t record_class = reader.number();
    std::uint32_t ttl = reader.long_number();
    const std::size_t size = reader.number();
    if (ttl > INT32_MAX) ttl = 0;  // RFC 2181 8
    const bool is_of_name = record_class == internet_class && iequals(owner, name);
    if (is_of_name && record_type == cname_type) {
      const std::size_t end = reader.position() + size;
      name = reader.name();
      if (reader.position() != end) return std::nullopt;
    } else if (is_of_name && record_type == static_cast<std::uint16_t>(type)) {
      if (!take(reader, size, type, records)) return std::nullopt;
    } else {
      reader.bytes(size);
      continue;
    }
    records.ttl = std::min(records.ttl, ttl);
  }
  if (reader.is_broken()) return std::nullopt;
  return records;
}

}  // namespace net
}  // namespace v0
}  // namespace gw
