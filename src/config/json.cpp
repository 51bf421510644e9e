/// \file
/// JSON by RapidJSON's event reader. Its tree has no positions, so they are found beside it.
#include "config/node.hpp"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

namespace json = RAPIDJSON_NAMESPACE;

/// Lines and columns of a text, asked for in rising order.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  /// Goes on to `offset`.
  void go_to(std::size_t offset) {
    while (offset_ < offset && offset_ < text_.size()) step();
  }
  /// Goes on to the next value, key or bracket: between two of them are white space, commas, colons.
  void go_to_token() {
    while (offset_ < text_.size() && std::string_view(" \t\r\n,:").find(text_[offset_]) != std::string_view::npos) step();
  }
  void step() {
    if (text_[offset_++] == '\n') {
      ++line_;
      line_begin_ = offset_;
    }
  }
  int line() const { return line_; }
  int column() const { return static_cast<int>(offset_ - line_begin_) + 1; }

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  std::size_t line_begin_ = 0;
  int line_ = 1;
};

/// Hands RapidJSON's events to a `TreeBuilder`. The names are RapidJSON's.
class Events {
 public:
  Events(TreeBuilder& tree, std::string_view text, const json::MemoryStream& stream) : tree_(tree), cursor_(text), stream_(stream) {}

  bool Null() { return add(Node::Kind::null, {}, false); }
  bool Bool(bool value) { return add(Node::Kind::scalar, value ? "true" : "false", false); }
  bool RawNumber(const char* digits, json::SizeType size, bool) { return add(Node::Kind::scalar, {digits, size}, false); }
  bool String(const char* text, json::SizeType size, bool) { return add(Node::Kind::scalar, {text, size}, true); }
  bool Key(const char* text, json::SizeType size, bool) { return add(Node::Kind::scalar, {text, size}, true); }
  bool StartObject() { return begin(Node::Kind::mapping); }
  bool EndObject(json::SizeType) { return end(); }
  bool StartArray() { return begin(Node::Kind::sequence); }
  bool EndArray(json::SizeType) { return end(); }

  // Numbers come as text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  bool add(Node::Kind kind, std::string_view text, bool is_quoted) {
    cursor_.go_to_token();
    Node node;
    node.kind = kind;
    node.line = cursor_.line();
    node.column = cursor_.column();
    node.is_quoted = is_quoted;
    node.text = text;
    cursor_.go_to(stream_.Tell());
    tree_.add(std::move(node));
    return true;
  }
  bool begin(Node::Kind kind) {
    cursor_.go_to_token();
    tree_.begin(kind, cursor_.line(), cursor_.column());
    cursor_.step();
    return true;
  }
  bool end() {
    cursor_.go_to_token();
    cursor_.step();
    tree_.end();
    return true;
  }

  TreeBuilder& tree_;
  Cursor cursor_;
  const json::MemoryStream& stream_;
};

/// What to say about an error of RapidJSON, whose code means several things; `rest` is the text from its place on.
std::string_view clear_message(json::ParseErrorCode code, std::string_view rest) {
  constexpr std::string_view control = "a line end or tab inside a text: write \\n or \\t";
  switch (code) {
    case json::kParseErrorDocumentEmpty:
      return "nothing is configured: the file is empty";
    case json::kParseErrorDocumentRootNotSingular:
      return "text after the end of the configuration";
    case json::kParseErrorValueInvalid:
      return "not a JSON value: text must be in \" \", and JSON has no comments and no comma before ] or }";
    case json::kParseErrorObjectMissName:
      return "expected a key in \" \": JSON has no comments and no comma before }";
    case json::kParseErrorObjectMissColon:
      return "expected \":\" after the key";
    case json::kParseErrorObjectMissCommaOrCurlyBracket:
      return "expected \",\" or \"}\"";
    case json::kParseErrorArrayMissCommaOrSquareBracket:
      return "expected \",\" or \"]\"";
    case json::kParseErrorStringUnicodeEscapeInvalidHex:
      return "\\u needs four hexadecimal digits";
    case json::kParseErrorStringUnicodeSurrogateInvalid:
      return "half of a surrogate pair";
    case json::kParseErrorStringEscapeInvalid:
      if (rest.substr(0, 1) != "\\") return control;
      return "unknown escape: \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX are known";
    case json::kParseErrorStringMissQuotationMark:
      return "the quotation mark that ends a text is missing";
    case json::kParseErrorStringInvalidEncoding:
      return control;
    default:
      return "not a JSON number";
  }
}

}  // namespace

std::optional<Node> read_json(std::string_view text, const std::string& file, const Variables& variables, Problems& problems) {
  TreeBuilder tree(file, variables, problems);
  json::MemoryStream stream(text.data(), text.size());
  Events events(tree, text, stream);
  // Iterative: the default parser recurses once per nested list.
  constexpr unsigned flags = json::kParseIterativeFlag | json::kParseNumbersAsStringsFlag;
  try {
    json::Reader reader;
    const json::ParseResult result = reader.Parse<flags>(stream, events);
    if (!result.IsError()) return tree.take_root();
    Cursor cursor(text);
    cursor.go_to(result.Offset());
    problems.push_back({Place{file, cursor.line(), cursor.column(), ""},
                        std::string(clear_message(result.Code(), text.substr(std::min(result.Offset(), text.size()))))});
  } catch (const Stop& e) {
    problems.push_back({Place{file, e.line, e.column, ""}, e.what});
  }
  return std::nullopt;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
