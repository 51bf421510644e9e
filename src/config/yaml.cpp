/// \file
/// YAML by yaml-cpp, which nothing else of gw includes. Its events are used and not its tree, which
/// keeps duplicate keys in silence and shares what aliases repeat.
#include "config/node.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace gw {
inline namespace v0 {
namespace config {
namespace {

/// yaml-cpp's message, and what to tell a person instead.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> clear_messages{{
    {"end of map flow not found",
     "expected \",\" or \"}\"; text with { } [ ] or , must be quoted inside { }, as in {path: \"/users/{id}\"}"},
    {"end of sequence flow not found", "expected \",\" or \"]\"; text with { } [ ] or , must be quoted inside [ ]"},
    {"illegal flow end", "\"}\" or \"]\" without its beginning"},
    {"illegal map value", "\":\" is not expected here: check the indentation, and quote text that has \": \" in it"},
    {"illegal map key", "a key is not expected here: check the indentation"},
    {"illegal block entry", "\"- \" is not expected here: a list begins on a line of its own"},
    {"end of map not found", "the indentation does not fit any line above"},
    {"end of sequence not found", "the indentation does not fit any line above"},
    {"unknown token", "this cannot begin a value; text that begins with @ ` or % must be quoted"},
    {"illegal EOF in scalar", "the quotation mark that ends a text is missing"},
    {"the referenced anchor is not defined", "the alias repeats an anchor that is not there; text that begins with * must be quoted"},
    {"bad file", "lists and maps are nested too deep"},
}};

/// What to say about an error of yaml-cpp at `line`, counted from 0, of `text`.
std::string clear_message(std::string_view text, int line, std::string_view message) {
  for (int i = 0; i < line && !text.empty(); ++i) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const std::string_view indentation = text.substr(0, text.find_first_not_of(" \t"));
  if (indentation.find('\t') != std::string_view::npos) return "a tab cannot indent YAML: use spaces";
  for (const auto& [theirs, ours] : clear_messages)
    if (message == theirs) return std::string(ours);
  return "not YAML: " + std::string(message);
}

/// Hands yaml-cpp's events to a `TreeBuilder`.
class Events final : public YAML::EventHandler {
 public:
  explicit Events(TreeBuilder& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      throw Stop{mark.line + 1, mark.column + 1, "a second document begins here; a file has one (check \"---\" and the indentation)"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node = make(Node::Kind::null, mark);
    // What is not written has the position of whatever comes next.
    if (const Node::Key* key = tree_.pending_key()) {
      node.line = key->line;
      node.column = key->column;
    }
    tree_.add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override { tree_.alias(anchor, mark.line + 1, mark.column + 1); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    Node node = make(Node::Kind::scalar, mark);
    node.text = value;
    node.is_quoted = tag != "?";
    if (!check_tag(tag, mark)) node.kind = Node::Kind::invalid;
    if (tree_.expects_key() && !node.is_quoted && value == "<<") {
      tree_.problem(node.line, node.column, "merge keys (<<) are not supported: repeat the values, or use an alias for a whole value");
      node.kind = Node::Kind::invalid;
    }
    tree_.add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    check_tag(tag, mark);
    tree_.begin(Node::Kind::sequence, mark.line + 1, mark.column + 1, anchor);
  }
  void OnSequenceEnd() override { tree_.end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    check_tag(tag, mark);
    tree_.begin(Node::Kind::mapping, mark.line + 1, mark.column + 1, anchor);
  }
  void OnMapEnd() override { tree_.end(); }

 private:
  static Node make(Node::Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  /// yaml-cpp's "?" is no tag, "!" a quoted text.
  bool check_tag(const std::string& tag, const YAML::Mark& mark) {
    if (tag.empty() || tag == "?" || tag == "!" || tag == "tag:yaml.org,2002:str") return true;
    tree_.problem(mark.line + 1, mark.column + 1, "tags are not supported; text that begins with ! must be quoted");
    return false;
  }

  TreeBuilder& tree_;
  int documents_ = 0;
};

}  // namespace

std::optional<Node> read_yaml(std::string_view text, const std::string& file, const Variables& variables, Problems& problems) {
  const auto stop = [&](int line, int column, std::string what) {
    problems.push_back({Place{file, line, column, ""}, std::move(what)});
    return std::nullopt;
  };
  // A quoted text that is never closed passes unnoticed if the file ends with a line end.
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  TreeBuilder tree(file, variables, problems);
  Events events(tree);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(events)) {
    }
    return tree.take_root();
  } catch (const Stop& e) {
    return stop(e.line, e.column, e.what);
  } catch (const YAML::Exception& e) {
    return stop(e.mark.line + 1, e.mark.column + 1, clear_message(text, e.mark.line, e.msg));
  }
}

}  // namespace config
}  // namespace v0
}  // namespace gw
