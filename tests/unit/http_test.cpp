#include <doctest/doctest.h>

#include <gw/http.hpp>

#include <string>
#include <vector>

TEST_CASE("http: every method is read back from its name, and from nothing else") {
  for (std::size_t i = 0; i < gw::detail::method_names.size(); ++i) {
    const auto method = static_cast<gw::Method>(i);
    CHECK(gw::parse_method(gw::to_string(method)) == method);
  }
  for (const char* name : {"", "get", "GETS", "GE", "M-SEARCH", "PRI"}) CHECK(!gw::parse_method(name));
  CHECK(gw::to_string(gw::Method::delete_) == "DELETE");
  CHECK(gw::to_string(gw::Method::unsubscribe) == "UNSUBSCRIBE");
}

TEST_CASE("http: a method set has what was put in") {
  const gw::MethodSet some{gw::Method::get, gw::Method::unsubscribe};
  CHECK(some.contains(gw::Method::get));
  CHECK(some.contains(gw::Method::unsubscribe));
  CHECK(!some.contains(gw::Method::post));
  CHECK(gw::MethodSet().empty());
  CHECK(!some.empty());
  CHECK(some.intersects({gw::Method::get, gw::Method::put}));
  CHECK(!some.intersects({gw::Method::put}));
  CHECK((some | gw::MethodSet{gw::Method::put}).contains(gw::Method::put));
}

TEST_CASE("http: only methods without further effect are idempotent") {
  CHECK(gw::is_idempotent(gw::Method::get));
  CHECK(gw::is_idempotent(gw::Method::put));
  CHECK(gw::is_idempotent(gw::Method::delete_));
  CHECK(!gw::is_idempotent(gw::Method::post));
  CHECK(!gw::is_idempotent(gw::Method::patch));
  CHECK(!gw::is_idempotent(gw::Method::lock));
}

TEST_CASE("http: names compare without case at every byte and every value") {
  const auto plain_lower = [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
  std::size_t wrong = 0;
  // The first eight bytes are compared at once, the rest one by one.
  for (const std::size_t at : {0, 3, 7, 8, 10})
    for (int x = 0; x < 256; ++x)
      for (int y = 0; y < 256; ++y) {
        std::string a = "Ab-9zQ~@\x80[m", b = "aB-9Zq~@\x80[M";
        a[at] = static_cast<char>(x);
        b[at] = static_cast<char>(y);
        const bool expected = plain_lower(static_cast<unsigned char>(x)) == plain_lower(static_cast<unsigned char>(y));
        wrong += gw::iequals(a, b) != expected;
      }
  CHECK(wrong == 0);
}

TEST_CASE("http: names compare without case, and only letters have one") {
  CHECK(gw::iequals("Content-Length", "cONTENT-lENGTH"));
  CHECK(!gw::iequals("a", "ab"));
  // Pairs that differ in the bit that makes the case.
  CHECK(!gw::iequals("@", "`"));
  CHECK(!gw::iequals("[", "{"));
  CHECK(!gw::iequals("0", "\x10"));
  CHECK(!gw::iequals("\xc9", "\xe9"));
}

TEST_CASE("http: tokens and field values are what RFC 9110 says") {
  CHECK(gw::is_token("X-a_1.~!"));
  for (const char* name : {"", "a b", "a:", "a\"", "(a)", "a/b", "\xe9"}) CHECK(!gw::is_token(name));
  for (const char* value : {"", "a", "a b", "a\tb", "\xe9", "\"q\""}) CHECK(gw::is_field_value(value));
  for (const char* value : {" a", "a ", "\ta", "a\r\nb", "a\nb", "\x7f", "\x01"}) CHECK(!gw::is_field_value(value));
  CHECK(!gw::is_field_value(std::string_view("a\0b", 3)));
}

TEST_CASE("http: a list is split at commas outside quotes") {
  struct Row {
    const char* list;
    std::vector<std::string> elements;
  };
  const Row rows[] = {
      {"", {}},
      {" ,\t, ", {}},
      {"a", {"a"}},
      {" a ,b,, c\t", {"a", "b", "c"}},
      {"a;x=\"1,2\",b", {"a;x=\"1,2\"", "b"}},
      {"\"a\\\",b\",c", {"\"a\\\",b\"", "c"}},
      {"\"open,b", {"\"open,b"}},
  };
  for (const Row& row : rows) {
    std::vector<std::string> elements;
    gw::for_each_element(row.list, [&](std::string_view e) { elements.emplace_back(e); });
    INFO(row.list);
    CHECK(elements == row.elements);
  }
  CHECK(gw::has_element("keep-alive, Close", "close"));
  CHECK(!gw::has_element("closed", "close"));
}

TEST_CASE("headers: fields are found without case and keep their order") {
  gw::Headers headers{{"A", "1"}, {"b", "2"}, {"a", "3"}};
  CHECK(headers["a"] == "1");
  CHECK(headers["c"] == "");
  CHECK(headers.get("B") == "2");
  CHECK(!headers.get("c"));
  CHECK(headers.has("A"));
  CHECK(headers.count("A") == 2);
  CHECK(headers.size() == 3);
  std::string all;
  for (const gw::Headers::Field& f : headers) all += std::string(f.name) + std::string(f.value);
  CHECK(all == "A1b2a3");
}

TEST_CASE("headers: set replaces every field of a name at the place of the first") {
  gw::Headers headers{{"x", "0"}, {"A", "1"}, {"b", "2"}, {"a", "3"}};
  headers.set("a", "new");
  std::string all;
  for (const gw::Headers::Field& f : headers) all += std::string(f.name) + std::string(f.value);
  CHECK(all == "x0Anewb2");
  headers.set("c", "4");
  CHECK(headers["C"] == "4");
  CHECK(headers.remove("A") == 1);
  CHECK(headers.remove("A") == 0);
  CHECK(!headers.has("a"));
}

TEST_CASE("headers: no field can be added that would be two on the wire") {
  gw::Headers headers;
  CHECK_THROWS_AS(headers.add("a b", "1"), std::invalid_argument);
  CHECK_THROWS_AS(headers.add("", "1"), std::invalid_argument);
  CHECK_THROWS_AS(headers.add("a", "1\r\nb: 2"), std::invalid_argument);
  CHECK_THROWS_AS(headers.set("a", " 1"), std::invalid_argument);
  CHECK(headers.empty());
}

TEST_CASE("headers: views outlive edits and moves, and a copy owns its text") {
  std::string source = "value";
  gw::Headers headers;
  headers.borrow("borrowed", source);
  headers.add("a", "first");
  const std::string_view first = headers["a"];
  for (int i = 0; i < 200; ++i) headers.add("n" + std::to_string(i), std::string(50, 'x'));
  headers.set("a", "second");
  CHECK(first == "first");
  const gw::Headers copy = headers;
  source = "other";
  CHECK(copy["borrowed"] == "value");
  CHECK(headers["borrowed"] == "other");
  const gw::Headers moved = std::move(headers);
  CHECK(first == "first");
  CHECK(moved["n199"] == std::string(50, 'x'));
  CHECK(copy["n199"] == std::string(50, 'x'));
}

TEST_CASE("headers: clear leaves nothing behind") {
  gw::Headers headers{{"a", "1"}};
  headers.clear();
  CHECK(headers.empty());
  headers.add("a", "2");
  CHECK(headers["a"] == "2");
}
