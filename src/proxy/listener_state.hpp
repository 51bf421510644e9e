/// \file
/// What the connections of one listener have in common.
#pragma once

#include <gw/network.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace gw {
inline namespace v0 {
namespace proxy {

/// One listener as one worker knows it. Its connections look here for whom to trust, so that a reload
/// reaches those that are open. Outlives the listener while there are any. The worker's thread alone.
struct ListenerState {
  std::uint16_t port = 0;                   ///< that clients connect to
  std::shared_ptr<const Networks> trusted;  ///< peers that may say who the client is; null: none
  std::uint32_t version = 0;                ///< how often `trusted` was set; 0: there was never anybody

  void trust(std::shared_ptr<const Networks> networks) {
    trusted = std::move(networks);
    ++version;
  }
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
