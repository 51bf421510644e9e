/// \file
/// Level 5: what a gateway would do with a request, and why.
#pragma once

#include <gw/version.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace gw {
inline namespace v0 {

/// A route that did not get the request.
struct LostRoute {
  std::string name;
  /// Where it lost: "host", "path", "method", "header x-version", "query debug"; or by precedence, though it takes the request:
  /// "precedence: host", "precedence: path", "precedence: priority", "precedence: methods", "precedence: headers", "precedence: query",
  /// "precedence: name".
  std::string lost_on;
  std::string why;  ///< in words
};

/// What `Gateway::explain` tells. What only a running request knows stands as `<client address>`, `<listener port>`, `<gateway>` (its
/// name in Via), `<endpoint>` (where there are several).
struct Explanation {
  std::string request;               ///< method and target as given
  std::string path;                  ///< as it was matched
  std::optional<std::string> route;  ///< the route that takes the request
  std::vector<LostRoute> lost;       ///< the others, in the order of the configuration
  std::vector<std::string> stages;   ///< that run, in this order; gateway before route. None of them has run here

  /// What gw answers by itself: no route, a redirect, a reply, a limit. 0 if an upstream or a handler answers.
  int status = 0;
  std::string location;              ///< of a redirect
  bool is_handler = false;           ///< code of the program answers

  std::vector<std::pair<std::string, unsigned>> split;  ///< the upstreams that share the route's requests, with their weights; empty: one has all
  /// Whether the request itself says which of them takes it; else it is any, and what follows is about the one with the most weight.
  bool is_part_decided = false;
  std::string split_by;  ///< what says so: "header x-upstream", "the hash of cookie id"; empty: nothing can

  std::string upstream;                ///< its name, if the request is forwarded
  std::vector<std::string> endpoints;  ///< its addresses
  std::vector<std::string> head;       ///< what is sent there: request line and fields, without line ends

  /// The same as lines for people; ends with a line end.
  GW_EXPORT std::string text() const;
  /// The same as a JSON object with the names of the members; ends with a line end.
  GW_EXPORT std::string json() const;
};

}  // namespace v0
}  // namespace gw
