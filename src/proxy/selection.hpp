/// \file
/// The endpoints of an upstream as they are for the moment, and how to choose one.
#pragma once

#include <gw/balancer.hpp>

#include "proxy/upstream_record.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// The endpoints of an upstream and their shares of requests, for as long as nobody's health changes. Shared by all workers; immutable but
/// for the turn of round robin.
class Selection {
 public:
  using Time = Health::Time;
  struct Entry {
    std::shared_ptr<Member> member;
    unsigned weight;      ///< as configured; 0: drains
    std::string cookie;   ///< what a sticky client shows; empty: none does
    bool is_up = false;   ///< nothing is known against it
  };

  /// `entries` with their `is_up` still open. Under the mutex of their record.
  Selection(const UpstreamOptions& options, std::vector<Entry> entries, Time now, std::uint64_t turn);

  /// An endpoint for a request: first of all one whose trial is due, then as the balancer says, and last any that is configured. Those in
  /// `tried` are left out. Null: there is none. `hash`: see `Balancer::pick`.
  Member* pick(Random& random, std::optional<std::uint64_t> hash, std::span<const Member* const> tried) const;
  /// Any endpoint of the same name that is up, was not tried and has an address of the other family, if `member` has one of either; or null.
  Member* other_family(const Member& member, Random& random, std::span<const Member* const> tried) const;
  /// The endpoint that has given this cookie, if it is up; or null.
  Member* stuck(std::string_view cookie) const;

  /// The cookie of one of the endpoints; empty: there are none. Lives as long as the selection.
  std::string_view cookie_of(const Member& member) const noexcept;

  const std::vector<Entry>& entries() const noexcept { return entries_; }
  /// Whether nobody is healthy, so that everybody is used.
  bool is_panicking() const noexcept { return is_panicking_; }
  /// When time alone makes another selection due.
  Time valid_until() const noexcept { return valid_until_; }
  /// Where round robin is.
  std::uint64_t turn() const noexcept { return balancer_->turn(); }

 private:
  std::vector<Candidate> shares(const UpstreamOptions& options, Time now);

  std::vector<Entry> entries_;
  std::vector<Member*> trials_;
  bool is_panicking_ = false;
  Time valid_until_ = Time::max();
  std::optional<Balancer> balancer_;
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
