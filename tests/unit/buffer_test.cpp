#include <doctest/doctest.h>

#include "proxy/buffer.hpp"

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

using gw::proxy::Buffer, gw::proxy::BufferStore, gw::proxy::Recycled;

namespace {

void put(Buffer& buffer, std::string_view bytes) {
  REQUIRE(buffer.room().size() >= bytes.size());
  std::memcpy(buffer.room().data(), bytes.data(), bytes.size());
  buffer.commit(bytes.size());
}

}  // namespace

TEST_CASE("buffer: bytes come in at the back and are consumed at the front") {
  Buffer buffer(10);
  CHECK(buffer.empty());
  put(buffer, "abcdef");
  CHECK(buffer.content() == "abcdef");
  buffer.consume(2);
  CHECK(buffer.content() == "cdef");
  put(buffer, "gh");
  CHECK(buffer.content() == "cdefgh");
  CHECK(buffer.room().size() == 2);
  buffer.clear();
  CHECK(buffer.empty());
  CHECK(buffer.room().size() == 10);
}

TEST_CASE("buffer: make_room moves what is left to the front") {
  Buffer buffer(8);
  put(buffer, "abcdefgh");
  CHECK(buffer.room().size() == 0);
  buffer.consume(5);
  buffer.make_room();
  CHECK(buffer.content() == "fgh");
  CHECK(buffer.room().size() == 5);
  buffer.make_room();
  CHECK(buffer.content() == "fgh");
  buffer.consume(3);
  buffer.make_room();
  CHECK(buffer.room().size() == 8);
}

TEST_CASE("buffer: what is pinned stays where it is, and its views live, whatever follows") {
  Buffer buffer(12);
  put(buffer, "headbody");
  const std::string_view head = buffer.content().substr(0, 4);
  buffer.consume(4);
  buffer.pin();
  for (int i = 0; i < 5; ++i) {
    buffer.consume(buffer.content().size());
    buffer.make_room();
    CHECK(buffer.room().size() == 8);
    put(buffer, "12345678");
    CHECK(buffer.content() == "12345678");
    CHECK(head == "head");
  }
  buffer.consume(6);
  buffer.unpin();
  CHECK(buffer.content() == "78");
  CHECK(buffer.room().size() == 10);
}

TEST_CASE("buffer: a second pin keeps more, and unpin forgets all of them") {
  Buffer buffer(8);
  put(buffer, "aabbcc");
  buffer.consume(2);
  buffer.pin();
  buffer.consume(2);
  buffer.pin();
  buffer.make_room();
  CHECK(buffer.content() == "cc");
  CHECK(buffer.room().size() == 2);
  buffer.unpin();
  CHECK(buffer.content() == "cc");
  CHECK(buffer.room().size() == 6);
}

TEST_CASE("buffer: a moved buffer keeps its views, and the old one is empty") {
  Buffer from(4);
  put(from, "abcd");
  const std::string_view view = from.content();
  Buffer to = std::move(from);
  CHECK(to.content().data() == view.data());
  CHECK(to.content() == "abcd");
}

TEST_CASE("buffer: a store hands a block out again if it is large enough") {
  BufferStore store;
  Buffer first = store.take(100);
  const void* block = first.room().data();
  put(first, "left over");
  first.pin();
  store.give(std::move(first));
  Buffer again = store.take(50);
  CHECK(again.room().data() == block);
  CHECK(again.empty());
  CHECK(again.room().size() == 100);
  store.give(std::move(again));
  CHECK(store.take(200).capacity() == 200);
  store.give(Buffer());
  CHECK(store.take(1).capacity() == 1);
}

TEST_CASE("recycled: what was given last is taken first, and what does not wait is made") {
  Recycled<int> waiting;
  int made = 0;
  const auto take = [&] { return waiting.take([&] { return ++made; }); };
  CHECK(take() == 1);
  CHECK(take() == 2);
  CHECK(waiting.in_use() == 2);
  waiting.give(10);
  waiting.give(20);
  CHECK(waiting.in_use() == 0);
  CHECK(waiting.size() == 2);
  CHECK(take() == 20);
  CHECK(take() == 10);
  CHECK(take() == 3);
}

TEST_CASE("recycled: a trim frees what has waited since the one before, and nothing else") {
  Recycled<int> waiting;
  const auto use = [&](int count) {
    for (int i = 0; i < count; ++i) waiting.take([] { return 0; });
    for (int i = 0; i < count; ++i) waiting.give(0);
    waiting.trim();
    return waiting.size();
  };
  const std::pair<int, std::size_t> rounds[] = {{10, 10}, {3, 3}, {1, 1}, {0, 0}, {0, 0}, {2, 2}, {5, 5}, {5, 5}};
  for (const auto& [needed, left] : rounds) {
    CAPTURE(needed);
    CHECK(use(needed) == left);
  }
}
