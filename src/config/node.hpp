/// \file
/// Level 5: a configuration text as a tree that knows where everything stands, whatever the notation.
#pragma once

#include "config/variables.hpp"

#include <gw/error.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace config {

/// One value. Lines and columns count from 1, columns in bytes. Texts are UTF-8 without controls but those of `has_lines`,
/// and their variables are replaced.
struct Node {
  enum class Kind {
    null,      ///< nothing: `key:`, `~`, null
    scalar,    ///< text, a number, true, false
    sequence,  ///< a list: `elements`
    mapping,   ///< `keys`, with their values in `elements`
    invalid,   ///< already reported; whoever meets it says nothing
  };
  /// A key of a mapping.
  struct Key {
    std::string text;
    int line = 0;
    int column = 0;
  };

  Kind kind = Kind::null;
  int line = 0;
  int column = 0;
  bool is_quoted = false;  ///< a scalar in quotation marks
  bool has_lines = false;  ///< a scalar with tabs or ends of lines, which few values may have: `Value::lines`
  std::string text;        ///< a scalar as written
  std::vector<Key> keys;
  std::vector<Node> elements;
};

/// The bounds of a tree, so that a small text cannot become a large one. Past them reading stops.
struct TreeLimits {
  std::size_t depth = 64;                 ///< lists and mappings inside each other
  std::size_t nodes = 2'000'000;          ///< values, copies for aliases included
  std::size_t copied = 64 * 1024 * 1024;  ///< bytes of text copied for aliases
};

/// Thrown while a text is read: it is no use to go on.
struct Stop {
  int line;
  int column;
  std::string what;
};

/// Makes a tree of the events of a parser: `begin`, keys and values, `end`. Reports duplicate keys,
/// keys that are no text, missing variables and bad characters; throws `Stop` past the limits.
/// Single-threaded; the file name, the variables and the problems must outlive it.
class TreeBuilder {
 public:
  TreeBuilder(const std::string& file, const Variables& variables, Problems& problems, TreeLimits limits = {})
      : file_(file), variables_(variables), problems_(problems), limits_(limits) {}

  /// A value without parts, or a key if one is due. `anchor`: what an alias calls it, 0: nothing does.
  void add(Node node, std::size_t anchor = 0);
  /// Opens a list or mapping.
  void begin(Node::Kind kind, int line, int column, std::size_t anchor = 0);
  /// Closes it.
  void end();
  /// Repeats what has the anchor.
  void alias(std::size_t anchor, int line, int column);
  /// Reports a problem of the value or key that is due.
  void problem(int line, int column, std::string what);

  /// Whether the next thing is a key.
  bool expects_key() const { return !open_.empty() && open_.back().expects_key(); }
  /// The position of the key whose value is due, if there is one: a value that is not written has none.
  const Node::Key* pending_key() const;
  /// The tree, once everything is closed; kind null if nothing was added.
  Node take_root() { return std::move(root_); }

 private:
  struct Open {
    Node node;
    std::size_t anchor = 0;
    bool skips_value = false;  // its key is unusable
    bool expects_key() const { return node.kind == Node::Kind::mapping && node.keys.size() == node.elements.size(); }
  };
  struct Size {
    std::size_t nodes = 0;
    std::size_t bytes = 0;
    std::size_t depth = 0;
  };
  struct Anchored {
    Node node;
    Size size;
  };

  void attach(Node node, std::size_t anchor);
  void attach_key(Node node);
  void finish(Node& scalar);
  void drop_duplicates(Node& mapping);
  void count(Size more, int line, int column);
  void check_depth(std::size_t more, int line, int column) const;
  std::string path() const;
  static Size size_of(const Node& node);

  const std::string& file_;
  const Variables& variables_;
  Problems& problems_;
  TreeLimits limits_;
  std::vector<Open> open_;
  std::map<std::size_t, Anchored> anchors_;
  Node root_;
  std::size_t nodes_ = 0;
  std::size_t copied_ = 0;
};

/// Reads a YAML 1.2 text of one document. Problems are appended; nothing if the text is no YAML.
std::optional<Node> read_yaml(std::string_view text, const std::string& file, const Variables& variables, Problems& problems);

/// Reads a JSON text (RFC 8259). Problems are appended; nothing if the text is no JSON.
std::optional<Node> read_json(std::string_view text, const std::string& file, const Variables& variables, Problems& problems);

}  // namespace config
}  // namespace v0
}  // namespace gw
