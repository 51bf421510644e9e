/// \file
/// The text formats that Prometheus reads. Std only.
#pragma once

#include <gw/version.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Writes metrics as text: the Prometheus format 0.0.4, or OpenMetrics 1.0. Families one after the
/// other, the samples of each behind it. Single-threaded.
class Exposition {
 public:
  enum class Format { prometheus, openmetrics };
  enum class Type { counter, gauge, histogram, info };
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  explicit Exposition(Format format) : format_(format) {}

  /// Begins a family. `name` is that of its samples, with "_total" of a counter and "_info" of an info:
  /// where the format wants the family's without it, that is left out. `help` is one line of ASCII.
  void family(std::string_view name, Type type, std::string_view help);
  /// A sample of the family. Values of labels are any bytes: what is no UTF-8 becomes U+FFFD.
  void sample(Labels labels, std::uint64_t value) { sample("", labels, value); }
  void sample(Labels labels, std::int64_t value) { sample("", labels, value); }
  /// The same with more at the end of its name: "_bucket", "_sum", "_count" of a histogram.
  void sample(std::string_view suffix, Labels labels, std::uint64_t value);
  void sample(std::string_view suffix, Labels labels, std::int64_t value);
  void sample(std::string_view suffix, Labels labels, double value);
  /// The whole text, with its end.
  std::string take();

 private:
  void begin_sample(std::string_view suffix, Labels labels);
  template <class T>
  void end_sample(T value);

  Format format_;
  std::string_view name_;
  std::string text_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
