/// \file
/// Fuzzes the HTTP/1 codecs. The first byte chooses what is read and in which fragments; the rest is
/// the wire. A whole and a fragmented reading must give the same transcript; the transcript itself
/// checks that no more is consumed than given, and that accepted heads are accepted again.
#include "../wire/transcript.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned choice = data[0];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t fragment = 1 + (choice >> 3);
  constexpr std::size_t whole = static_cast<std::size_t>(-1);

  gw::Limits limits;
  if ((choice & 4) != 0) {
    // Small enough that inputs of usual size meet them.
    limits.head = 200;
    limits.fields = 5;
    limits.target = 40;
    limits.body = 50;
  }
  const auto read = [&](std::size_t fragment_size) {
    switch (choice & 3) {
      case 0: return wire::read_responses(bytes, fragment_size, gw::Method::get, true, limits);
      case 1: return wire::read_responses(bytes, fragment_size, gw::Method::head, false, limits);
      default: return wire::read_requests(bytes, fragment_size, limits);
    }
  };
  wire::require(read(whole) == read(fragment), "fragments do not change the meaning");
  return 0;
}
