#include "config/node.hpp"

#include "config/text.hpp"

#include <algorithm>

namespace gw {
inline namespace v0 {
namespace config {

void TreeBuilder::add(Node node, std::size_t anchor) {
  count({1, 0, 0}, node.line, node.column);
  attach(std::move(node), anchor);
}

void TreeBuilder::begin(Node::Kind kind, int line, int column, std::size_t anchor) {
  count({1, 0, 0}, line, column);
  check_depth(1, line, column);
  Open& opened = open_.emplace_back();
  opened.node.kind = kind;
  opened.node.line = line;
  opened.node.column = column;
  opened.anchor = anchor;
}

void TreeBuilder::end() {
  GW_ASSERT(!open_.empty());
  if (open_.back().node.kind == Node::Kind::mapping) drop_duplicates(open_.back().node);
  Open closed = std::move(open_.back());
  open_.pop_back();
  attach(std::move(closed.node), closed.anchor);
}

void TreeBuilder::alias(std::size_t anchor, int line, int column) {
  const auto found = anchors_.find(anchor);
  // The parser knows every name; one without a value is that of a list or map still open.
  if (found == anchors_.end()) throw Stop{line, column, "the alias is inside the value that it repeats"};
  count(found->second.size, line, column);
  check_depth(found->second.size.depth, line, column);
  attach(found->second.node, 0);
}

void TreeBuilder::problem(int line, int column, std::string what) {
  problems_.push_back({Place{file_, line, column, path()}, std::move(what)});
}

const Node::Key* TreeBuilder::pending_key() const {
  if (open_.empty()) return nullptr;
  const Node& node = open_.back().node;
  return node.keys.size() > node.elements.size() ? &node.keys.back() : nullptr;
}

void TreeBuilder::attach(Node node, std::size_t anchor) {
  if (expects_key()) {
    attach_key(std::move(node));
    return;
  }
  if (node.kind == Node::Kind::scalar) finish(node);
  if (anchor != 0) {
    const Size size = size_of(node);
    count(size, node.line, node.column);
    anchors_[anchor] = {node, size};
  }
  if (open_.empty()) {
    root_ = std::move(node);
  } else if (open_.back().skips_value) {
    open_.back().skips_value = false;
    open_.back().node.keys.pop_back();
  } else {
    open_.back().node.elements.push_back(std::move(node));
  }
}

void TreeBuilder::attach_key(Node node) {
  Open& open = open_.back();
  if (node.kind != Node::Kind::scalar) {
    if (node.kind != Node::Kind::invalid) problem(node.line, node.column, "a key must be text");
    open.skips_value = true;
  } else if (const auto bad = find_bad_character(node.text, false)) {
    problem(node.line, node.column, "key " + quote(node.text) + ": " + bad->what);
    open.skips_value = true;
  }
  open.node.keys.push_back({std::move(node.text), node.line, node.column});
}

void TreeBuilder::finish(Node& scalar) {
  std::vector<std::string> mistakes;
  if (scalar.text.find("${") != std::string::npos) scalar.text = replace_variables(scalar.text, variables_, mistakes);
  if (const auto bad = find_bad_character(scalar.text, true)) mistakes.push_back(bad->what);
  scalar.has_lines = scalar.text.find_first_of("\t\n\r") != std::string::npos;
  for (std::string& mistake : mistakes) problem(scalar.line, scalar.column, std::move(mistake));
  if (!mistakes.empty()) scalar.kind = Node::Kind::invalid;
}

void TreeBuilder::drop_duplicates(Node& mapping) {
  std::map<std::string, int> first_lines;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < mapping.keys.size(); ++i) {
    const Node::Key& key = mapping.keys[i];
    const auto [first, is_new] = first_lines.emplace(key.text, key.line);
    if (!is_new) {
      problem(key.line, key.column, "key " + quote(key.text) + " is there twice, first on line " + std::to_string(first->second));
      continue;
    }
    if (kept != i) {
      mapping.keys[kept] = std::move(mapping.keys[i]);
      mapping.elements[kept] = std::move(mapping.elements[i]);
    }
    ++kept;
  }
  mapping.keys.resize(kept);
  mapping.elements.resize(kept);
}

void TreeBuilder::count(Size more, int line, int column) {
  nodes_ += more.nodes;
  copied_ += more.bytes;
  if (nodes_ > limits_.nodes)
    throw Stop{line, column, "more than " + std::to_string(limits_.nodes) + " values, those that aliases repeat included"};
  if (copied_ > limits_.copied) throw Stop{line, column, "aliases repeat more than " + std::to_string(limits_.copied) + " bytes of text"};
}

void TreeBuilder::check_depth(std::size_t more, int line, int column) const {
  if (open_.size() + more > limits_.depth)
    throw Stop{line, column, "lists and maps are nested more than " + std::to_string(limits_.depth) + " deep"};
}

TreeBuilder::Size TreeBuilder::size_of(const Node& node) {
  Size size{1, node.text.size(), 0};
  for (const Node::Key& key : node.keys) size.bytes += key.text.size();
  for (const Node& element : node.elements) {
    const Size part = size_of(element);
    size.nodes += part.nodes;
    size.bytes += part.bytes;
    size.depth = std::max(size.depth, part.depth);
  }
  if (node.kind == Node::Kind::sequence || node.kind == Node::Kind::mapping) ++size.depth;
  return size;
}

std::string TreeBuilder::path() const {
  std::string path;
  for (const Open& open : open_) {
    if (open.node.kind == Node::Kind::sequence)
      path = path_of(path, open.node.elements.size());
    else if (!open.expects_key())
      path = path_of(path, open.node.keys.back().text);
  }
  return path;
}

}  // namespace config
}  // namespace v0
}  // namespace gw
