/// \file
/// Asks endpoints how they are.
#pragma once

#include "proxy/snapshot.hpp"
#include "proxy/worker.hpp"

#include <memory>
#include <vector>

namespace gw {
inline namespace v0 {
namespace proxy {

/// Checks the endpoints of upstreams that want it (`CheckOptions`), on a worker that does nothing else: what runs on others, and for how
/// long, does not make an endpoint look dead. Everything on the thread of that worker.
class Checks {
 public:
  explicit Checks(Worker& worker) : worker_(worker) {}
  ~Checks();
  Checks(const Checks&) = delete;
  Checks& operator=(const Checks&) = delete;

  /// Checks the upstreams of this configuration from now on, and no others. Each endpoint is asked at once, and then every interval.
  void watch(const Snapshot& snapshot);
  /// Ends all checks soon; then the worker's loop has nothing left of them.
  void stop();

 private:
  struct Round;

  static Task<> run(std::shared_ptr<Round> round);
  static Task<> ask(std::shared_ptr<Round> round, std::shared_ptr<Member> member);
  static Task<bool> ask_at(std::shared_ptr<Round> round, const Endpoint& endpoint);

  Worker& worker_;
  std::vector<std::shared_ptr<Round>> rounds_;  // one of each upstream
};

}  // namespace proxy
}  // namespace v0
}  // namespace gw
