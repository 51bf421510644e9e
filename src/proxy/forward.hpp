/// \file
/// Where a route sends its requests: one upstream, or several that share them, and who answers when that fails.
#pragma once

#include <gw/balance/weighted_draw.hpp>
#include <gw/context.hpp>
#include <gw/upstream.hpp>

#include "proxy/answers.hpp"
#include "proxy/template.hpp"
#include "proxy/upstream_state.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Sends requests to one upstream, as a route wants it: the handler of `forward`.
class Forward {
 public:
  /// What a route says about it.
  struct Options {
    std::string base_path;
    UpstreamTimeouts timeouts{};
    bool strip_prefix = false;
    bool preserve_host = false;
    std::optional<Template> rewrite{};
    std::vector<std::string> upgrade{};  ///< protocols that may be switched to
  };

  Forward(std::shared_ptr<const UpstreamState> upstream, Options options) : upstream_(std::move(upstream)), options_(std::move(options)) {}

  /// Answers with the upstream's response, its body unread, or fails.
  Task<> operator()(Context& c) const;
  const UpstreamState& upstream() const noexcept { return *upstream_; }

  /// Several of them that share the requests of a route.
  struct Split;
  /// What answers when the upstream cannot; one of both.
  struct Fallback;
  void set_split(std::shared_ptr<const Split> split) { split_ = std::move(split); }
  void set_fallback(std::shared_ptr<const Fallback> fallback) { fallback_ = std::move(fallback); }

  const Split* split() const noexcept { return split_.get(); }
  /// The part of the split that the request itself decides for; null: it does not, or there is no split.
  const Forward* decided(const Context& c) const;
  /// Where a request goes: this, or a part of the split.
  const Forward& choose(const Context& c, Random& random) const;

 private:
  friend class Exchange;
  std::shared_ptr<const Split> split_;
  std::shared_ptr<const Fallback> fallback_;
  std::shared_ptr<const UpstreamState> upstream_;
  Options options_;
};

struct Forward::Split {
  struct Part {
    std::string name;  ///< as in the configuration
    unsigned weight;
    Forward forward;
  };
  explicit Split(std::vector<Part> p) : parts(std::move(p)), draw(candidates(parts)) {}

  const std::vector<Part> parts;
  const WeightedDraw draw;
  std::optional<HashKey> hash{};
  std::optional<HashKey> chosen_by{};

 private:
  static std::vector<Candidate> candidates(const std::vector<Part>& parts);
};

struct Forward::Fallback {
  std::optional<Forward> forward{};
  std::optional<FixedReply> reply{};
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
