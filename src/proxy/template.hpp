/// \file
/// Level 4: the targets of `rewrite` and `redirect`, with the parts of a request in them.
#pragma once

#include <gw/params.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// What a template takes from a request. Views; all percent-encoded, as they were matched.
struct TemplateValues {
  const Params& params;
  std::string_view path;    ///< normalised
  std::string_view rest;    ///< of the path, behind what the prefix took: "" or with its leading slash
  std::string_view authority;  ///< the client's Host
};

/// A target with placeholders: "/v2/{id}{rest}", for a redirect also "https://{host}/new?from={id}".
///
/// `{name}` is the parameter `name` of the route's pattern, `{rest}` what follows the matched prefix, `{path}` the whole path.
/// Behind "scheme://" stand a host, or `{host}` for the client's without its port, and perhaps a port. A parameter hides what else has
/// its name. Immutable; any thread.
class Template {
 public:
  /// Where a template is used, and so what it may have.
  enum class Use {
    path,      ///< a path alone
    location,  ///< scheme and host before it, a query behind it
  };

  /// What is wrong with `text`, in one sentence, or nothing. `names` are the parameters of the pattern; `has_rest`: it is a prefix.
  static std::string mistake(std::string_view text, Use use, const std::vector<std::string>& names, bool has_rest);

  /// A template without mistakes, for a route whose parameters are called `names`, in that order.
  Template(std::string_view text, Use use, const std::vector<std::string>& names);

  /// Appends the path that `values` give, and nothing else: absolute, normalised, with one slash in front, whatever was put together.
  /// False if it cannot be one: a part of an escape without the other, or a segment that became "." or ".." (only a regex can cut those).
  bool append_path(std::string& out, const TemplateValues& values) const;
  /// Appends scheme, host, path, and the template's own query. False as before, and if the client's host is needed
  /// and unknown.
  bool append_location(std::string& out, const TemplateValues& values) const;
  /// Whether a location needs the client's host.
  bool needs_host() const noexcept { return !host_.empty() && host_.front().kind == Kind::host; }
  /// Whether it has a query of its own.
  bool has_query() const noexcept { return !query_.empty(); }

 private:
  enum class Kind { text, parameter, rest, path, host };
  struct Part {
    Kind kind;
    std::string text;       // of Kind::text
    std::size_t index = 0;  // of Kind::parameter
  };
  using Parts = std::vector<Part>;

  static std::string_view value_of(const Part& part, const TemplateValues& values);
  static Parts parse(std::string_view text, const std::vector<std::string>& names);

  std::string scheme_;  // empty: the client's scheme and host
  Parts host_;
  Parts path_;
  Parts query_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
