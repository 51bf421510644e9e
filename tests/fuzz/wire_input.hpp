/// \file
/// What the fuzz targets of messages make of their input: the wire, and behind it, so that the wire can be
/// mutated by itself, how it is cut into fragments and which limits hold.
#pragma once

#include "../wire/transcript.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wire {

/// From the end: one byte of choices, then as many sizes of fragments as its low half says.
struct Input {
  Input(const std::uint8_t* data, std::size_t size) : bytes(reinterpret_cast<const char*>(data), size) {
    if (bytes.empty()) return;
    choice = static_cast<unsigned char>(bytes.back());
    bytes.remove_suffix(1);
    const std::size_t count = std::min<std::size_t>(choice & 15, bytes.size());
    sizes = bytes.substr(bytes.size() - count);
    bytes.remove_suffix(count);
    if (!chooses(4)) return;
    // Small enough that inputs of usual size meet them.
    limits.head = 200;
    limits.fields = 5;
    limits.target = 40;
    limits.body = 50;
  }

  /// One of the choices 4 to 7; 4 are small limits.
  bool chooses(unsigned bit) const { return (choice >> bit & 1) != 0; }
  Fragments fragments() const { return Fragments(sizes); }

  std::string_view bytes;
  std::string_view sizes;
  unsigned choice = 0;
  gw::Limits limits;
};

inline const Fragments whole{static_cast<std::size_t>(-1)};

}  // namespace wire
