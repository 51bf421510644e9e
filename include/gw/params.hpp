/// \file
/// Level 1: the parameters of a path template. Std only.
#pragma once

#include <gw/error.hpp>
#include <gw/path.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {

/// The values that a path gave to the parameters of a route, from left to right: its "{name}", or the
/// named groups of its regular expression.
///
/// Names are views into the router, values into the matched path: both must outlive it. As the
/// router returns them, values are percent-encoded; `decode` gives the text. A value; copy it
/// freely. More than eight values need memory of their own.
class Params {
 public:
  Params() noexcept {}  ///< None.
  Params(const Params& other) { *this = other; }
  Params& operator=(const Params& other) {
    std::copy_n(other.inline_.begin(), std::min(other.size_, inline_.size()), inline_.begin());
    more_ = other.more_;
    size_ = other.size_;
    names_ = other.names_;
    return *this;
  }

  /// One parameter.
  struct Param {
    std::string_view name;
    std::string_view value;
  };

  /// The value of `name`, empty if there is no such parameter. A segment that matched is never empty; a
  /// group of a regular expression may be.
  std::string_view operator[](std::string_view name) const noexcept { return get(name).value_or(std::string_view{}); }
  /// The value of `name`, or nothing.
  std::optional<std::string_view> get(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < size_; ++i)
      if ((*names_)[i] == name) return value(i);
    return std::nullopt;
  }
  /// The percent-decoded value of `name`, empty if there is no such parameter.
  std::string decode(std::string_view name) const { return percent_decode((*this)[name]); }

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// The parameter at `index`, counted from the left; asserts that there is one.
  Param at(std::size_t index) const noexcept {
    GW_ASSERT(index < size_);
    return {(*names_)[index], value(index)};
  }

  /// Goes through the parameters from left to right.
  class Iterator {
   public:
    Iterator(const Params& params, std::size_t index) noexcept : params_(&params), index_(index) {}
    Param operator*() const noexcept { return params_->at(index_); }
    Iterator& operator++() noexcept { return ++index_, *this; }
    bool operator==(const Iterator& other) const noexcept { return index_ == other.index_; }

   private:
    const Params* params_;
    std::size_t index_;
  };
  Iterator begin() const noexcept { return {*this, 0}; }
  Iterator end() const noexcept { return {*this, size_}; }

  /// For gw: replaces the value at `index`, e.g. by a decoded one. The view must outlive this object.
  void borrow_value(std::size_t index, std::string_view value) noexcept {
    GW_ASSERT(index < size_);
    if (index < inline_.size()) inline_[index] = {value.data(), value.size()};
    else more_[index - inline_.size()] = value;
  }
  /// For the router: one more value, of which the name is not known yet.
  void push(std::string_view value) {
    if (size_ < inline_.size()) inline_[size_] = {value.data(), value.size()};
    else more_.push_back(value);
    ++size_;
  }
  /// For the router: forgets all but the first `size` values, of which there are at least as many.
  void shrink(std::size_t size) noexcept {
    size_ = size;
    if (more_.empty()) return;
    more_.resize(size > inline_.size() ? size - inline_.size() : 0);
  }
  /// For the router: the names, one for each value. The vector must outlive this object.
  void borrow_names(const std::vector<std::string>& names) noexcept { names_ = &names; }

 private:
  std::string_view value(std::size_t index) const noexcept {
    return index < inline_.size() ? std::string_view(inline_[index].data, inline_[index].size) : more_[index - inline_.size()];
  }

  // A view that need not be made empty first: every match has parameters, and few have any in them.
  struct View {
    const char* data;
    std::size_t size;
  };

  std::size_t size_ = 0;
  const std::vector<std::string>* names_ = nullptr;
  std::array<View, 8> inline_;  // the first `size_` are set
  std::vector<std::string_view> more_;
};

}  // namespace v0
}  // namespace gw
